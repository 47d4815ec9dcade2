// Looking into records of bpf/events.h without believing them: the file they come from may be anybody's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/events.h"

namespace rehearse::trace {

/// From `from` to `to`, and `offset` after `time`: nanoseconds that a hostile trace may choose at will wrap
/// around.
inline std::int64_t between(std::uint64_t from, std::uint64_t to) {
  return static_cast<std::int64_t>(to - from);
}
inline std::int64_t shifted(std::uint64_t time, std::int64_t offset) {
  return static_cast<std::int64_t>(time + static_cast<std::uint64_t>(offset));
}

struct Attachment {
  std::uint8_t kind = 0;
  std::uint8_t arg = 0;
  std::uint8_t flags = 0;
  std::string_view bytes;

  /// The bytes as `T`, if they are as many.
  template <class T>
  [[nodiscard]] const T* as() const {
    return bytes.size() == sizeof(T) ? reinterpret_cast<const T*>(bytes.data()) : nullptr;
  }
};

/// One record within bytes that hold it whole; borrowed.
class Record {
 public:
  /// Nothing if `bytes` do not begin with a well-formed record.
  static std::optional<Record> at(std::string_view bytes);
  explicit Record(const struct rh_head& head) : head_(&head) {}

  [[nodiscard]] const struct rh_head& head() const { return *head_; }
  /// The whole record as `T`, if it is long enough.
  template <class T>
  [[nodiscard]] const T* as() const {
    return head_->size >= sizeof(T) ? reinterpret_cast<const T*>(head_) : nullptr;
  }
  /// Argument `i` of a system call, 0 beyond the last recorded.
  [[nodiscard]] std::uint64_t argument(unsigned i) const {
    return i < head_->args ? reinterpret_cast<const struct rh_call*>(head_)->arg[i] : 0;
  }

  /// Calls `visit` for each attachment; ends early at one that is malformed.
  template <class Visit>
  void each_attachment(const Visit& visit) const {
    std::size_t at = attachments_begin();
    while (at != 0 && at + sizeof(struct rh_attachment) <= head_->size) {
      const auto* found =
          reinterpret_cast<const struct rh_attachment*>(reinterpret_cast<const char*>(head_) + at);
      at += sizeof *found;
      if (found->length > head_->size - at) return;
      visit(Attachment{
          found->kind, found->arg, found->flags, {reinterpret_cast<const char*>(head_) + at, found->length}});
      at += (std::size_t{found->length} + 7) & ~std::size_t{7};
    }
  }

 private:
  [[nodiscard]] std::size_t attachments_begin() const {
    switch (head_->kind) {
      case RH_EXIT:
      case RH_ENTER:
        return RH_CALL_BYTES(std::size_t{head_->args});
      case RH_LATE:
        return sizeof(struct rh_head);
      case RH_EXEC:
        return head_->size >= sizeof(struct rh_exec) ? sizeof(struct rh_exec) : 0;
      default:
        return 0;
    }
  }

  const struct rh_head* head_;
};

/// "fs-xfs": what an RH_MODULE record says the kernel wanted; a caller may have chosen it. "" if it says
/// nothing.
std::string_view module_name(const Record& record);

/// The words of an argument list, each of which but perhaps the last ends with NUL. `redacted`: what was
/// overwritten is shortened.
std::vector<std::string> words_of(std::string_view list, bool redacted);

/// "/usr/bin/true" from an RH_PATH attachment: names from the leaf to the root.
std::string path_of(std::string_view names);

}  // namespace rehearse::trace
