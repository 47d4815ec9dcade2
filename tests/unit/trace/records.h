// Records as the kernel's programs write them, for tests.
#pragma once

#include <fcntl.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/events.h"
#include "trace/record.h"

namespace rehearse::trace {

inline constexpr std::uint64_t kHere = static_cast<std::uint64_t>(AT_FDCWD);  ///< as an argument of a call

class RecordMaker {
 public:
  /// A record of `T` in front of which a head is filled in; times go up by one.
  template <class T>
  RecordMaker& begin(T body, rh_kind kind, std::uint32_t tid, std::uint32_t nr = 0) {
    body.head.kind = kind;
    body.head.tid = tid;
    body.head.nr = nr;
    body.head.time_ns = ++time_;
    bytes_.assign(reinterpret_cast<const char*>(&body), sizeof body);
    return *this;
  }
  RecordMaker& call(rh_kind kind, std::uint32_t tid, std::uint32_t nr, std::vector<std::uint64_t> args,
                    std::int64_t result = 0) {
    struct rh_call body = {};
    body.head.args = 6;
    body.result = result;
    for (std::size_t i = 0; i < args.size(); ++i) body.arg[i] = args[i];
    return begin(body, kind, tid, nr);
  }
  RecordMaker& attach(std::uint8_t kind, std::uint8_t arg, std::string_view bytes, std::uint8_t flags = 0) {
    struct rh_attachment head = {kind, arg, flags, 0, static_cast<__u32>(bytes.size())};
    bytes_.append(reinterpret_cast<const char*>(&head), sizeof head).append(bytes);
    bytes_.resize((bytes_.size() + 7) & ~std::size_t{7});
    return *this;
  }
  /// "/etc/passwd" as the programs attach it; `which`: RH_OPENED, RH_CWD, RH_ROOT.
  RecordMaker& path(std::string_view absolute, std::uint8_t which = 0) {
    std::string names;
    while (!absolute.empty() && absolute != "/") {
      const std::size_t slash = absolute.rfind('/');
      names.append(absolute.substr(slash + 1)).push_back('\0');
      absolute = absolute.substr(0, slash);
    }
    return attach(RH_PATH, which, names);
  }
  /// Valid until the next begins.
  Record done() {
    const auto size = static_cast<__u32>(bytes_.size());
    std::memcpy(bytes_.data(), &size, sizeof size);
    aligned_.assign((bytes_.size() + 7) / 8, 0);
    std::memcpy(aligned_.data(), bytes_.data(), bytes_.size());
    return Record(*reinterpret_cast<const struct rh_head*>(aligned_.data()));
  }

 private:
  std::uint64_t time_ = 0;
  std::string bytes_;
  std::vector<std::uint64_t> aligned_;
};

}  // namespace rehearse::trace
