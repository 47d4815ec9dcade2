// Attributes of files and mounts, and what is waited for on descriptors.
#include <sys/stat.h>

#include <algorithm>

#include "syscalls/arguments.h"
#include "syscalls/names.h"
#include "syscalls/struct_bytes.h"
#include "syscalls/structs.h"
#include "syscalls/text.h"

namespace rehearse::syscalls {
namespace {

void append_event(std::string& out, std::string_view bytes) {
  out += "{events=";
  append_names(out, names::EpollEvents, load<std::uint32_t>(bytes, 0));
  const auto data = load<std::uint64_t>(bytes, 4);
  append_format(out, ", data={{u32={}, u64={}}}}}", static_cast<std::uint32_t>(data), data);
}

/// The descriptors of a set, and whether all that there may be were recorded.
struct Members {
  std::string text;
  std::int64_t count = 0;
  bool whole = true;
};

Members members_of(std::string_view set, std::int32_t number) {
  Members members;
  const std::size_t known = std::min<std::size_t>(static_cast<std::uint32_t>(number), set.size() * 8);
  for (std::size_t fd = 0; fd < known; ++fd) {
    if ((static_cast<unsigned char>(set[fd / 8]) >> fd % 8 & 1U) == 0) continue;
    append_format(members.text, "{}{}", members.count++ == 0 ? "" : " ", fd);
  }
  members.whole = static_cast<std::size_t>(number) <= known;
  return members;
}

/// Of the descriptors that were polled, those with an event: "[{fd=3, revents=POLLIN}]"
std::string polled(const Call& call) {
  const auto& bytes = call.blobs_after[0];
  if (!bytes) return {};
  std::string shown;
  std::int64_t count = 0;
  for (std::size_t at = 0; at + 8 <= bytes->size(); at += 8) {
    const auto events = load<std::uint16_t>(*bytes, at + 6);
    if (events == 0) continue;
    append_format(shown, "{}{{fd={}, revents=", count++ == 0 ? "" : ", ", load<std::int32_t>(*bytes, at));
    append_names(shown, names::PollEvents, events);
    shown += '}';
  }
  // Of many not all are recorded.
  const bool cut = static_cast<std::uint32_t>(call.args[1]) > bytes->size() / 8;
  if (count < call.result && cut) shown += count == 0 ? "..." : ", ...";
  return shown.empty() ? shown : '[' + shown + ']';
}

/// Of the sets, what is ready: "in [3 5], except [6]"
std::string selected(const Call& call) {
  constexpr std::string_view kNames[] = {"in", "out", "except"};
  const auto number = static_cast<std::int32_t>(call.args[0]);
  std::string shown;
  std::int64_t count = 0;
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    const auto& set = call.blobs_after[i + 1];
    if (!set || number <= 0 || count >= call.result) continue;
    const Members members = members_of(*set, number);
    count += members.count;
    const bool cut = !members.whole && count < call.result;
    if (members.text.empty() && !cut) continue;
    append_format(shown, "{}{} [{}{}]", shown.empty() ? "" : ", ", kNames[i], members.text,
                  !cut                   ? ""
                  : members.text.empty() ? "..."
                                         : " ...");
  }
  return shown;
}

bool is_device(std::uint32_t mode) {
  return S_ISCHR(mode) || S_ISBLK(mode);
}

}  // namespace

void append_mount_attr(std::string& out, const StructView& from) {
  if (from.bytes.size() < 32) return append_quoted(out, from.bytes);
  const auto field = [&](std::size_t i) { return load<std::uint64_t>(from.bytes, i * 8); };
  out += "{attr_set=";
  append_names(out, names::MountAttributes, field(0));
  out += ", attr_clr=";
  append_names(out, names::MountAttributes, field(1));
  out += ", propagation=";
  append_names(out, names::Propagation, field(2));
  append_format(out, ", userns_fd={}}}", field(3));
}

void append_epoll_event(std::string& out, const StructView& from) {
  constexpr std::uint32_t kDelete = 2;  // EPOLL_CTL_DEL looks at none
  if (static_cast<std::uint32_t>(from.call.args[1]) == kDelete)
    return append_pointer(out, from.call.args[from.index]);
  if (from.bytes.size() < 12) return append_quoted(out, from.bytes);
  append_event(out, from.bytes);
}

void append_epoll_events(std::string& out, const StructView& from) {
  append_list(out, from.bytes, 12, [&](std::string_view one) { append_event(out, one); });
  if (from.call.result > static_cast<std::int64_t>(from.bytes.size() / 12)) {
    out.pop_back();
    out += ", ...]";
  }
}

void append_pollfds(std::string& out, const StructView& from) {
  append_list(out, from.bytes, 8, [&](std::string_view one) {
    const auto fd = load<std::int32_t>(one, 0);
    append_format(out, "{{fd={}", fd);
    if (fd >= 0) {
      out += ", events=";
      append_names(out, names::PollEvents, load<std::uint16_t>(one, 4));
    }
    out += '}';
  });
  append_more(out, static_cast<std::uint32_t>(from.call.args[from.index + 1]), from.bytes.size() / 8);
}

/// Numbers of descriptors: [3 5]
void append_fd_set(std::string& out, const StructView& from) {
  const auto number = static_cast<std::int32_t>(from.call.args[0]);
  if (number <= 0) return append_pointer(out, from.call.args[from.index]);
  const Members members = members_of(from.bytes, number);
  append_format(out, "[{}{}{}]", members.text, members.whole || members.text.empty() ? "" : " ",
                members.whole ? "" : "...");
}

void append_ready(std::string& out, const Syscall& info, const Call& call) {
  std::string shown = info.find(Arg::kPollfds) ? polled(call) : selected(call);
  const auto time_left = [&](Arg kind, auto append) {
    const auto index = info.find(kind);
    if (!index || !call.blobs_after[*index]) return;
    shown += shown.empty() ? "left " : ", left ";
    append(shown, StructView{*call.blobs_after[*index], call, *index});
  };
  time_left(Arg::kTimespecLeft, append_timespec);
  time_left(Arg::kTimevalLeft, append_timeval);
  if (!shown.empty()) append_format(out, " ({})", shown);
}

void append_statfs(std::string& out, const StructView& from) {
  if (from.bytes.size() < 120) return append_quoted(out, from.bytes);
  const auto field = [&](std::size_t i) { return load<std::uint64_t>(from.bytes, i * 8); };
  const auto flags = field(10);
  constexpr std::uint64_t kValid = 0x20;
  out += "{f_type=";
  append_names(out, names::FsMagic, field(0));
  append_format(out, ", f_bsize={}, f_blocks={}, f_bfree={}, f_bavail={}, f_files={}, f_ffree={}", field(1),
                field(2), field(3), field(4), field(5), field(6));
  out += ", f_fsid={val=[";
  append_hex(out, load<std::uint32_t>(from.bytes, 56));
  out += ", ";
  append_hex(out, load<std::uint32_t>(from.bytes, 60));
  append_format(out, "]}}, f_namelen={}, f_frsize={}", field(8), field(9));
  if ((flags & kValid) != 0) {
    out += ", f_flags=";
    append_names(out, names::StatfsFlags, flags);
  }
  out += '}';
}

void append_stat(std::string& out, const StructView& from) {
  struct stat st = {};
  if (from.bytes.size() < offsetof(struct stat, st_blksize)) return append_quoted(out, from.bytes);
  std::memcpy(&st, from.bytes.data(), std::min(sizeof st, from.bytes.size()));
  out += "{st_mode=";
  append_file_type(out, st.st_mode);
  if (is_device(st.st_mode)) {
    out += ", st_rdev=";
    append_device(out, st.st_rdev);
  } else {
    append_format(out, ", st_size={}", st.st_size);
  }
  out += ", ...}";
}

void append_statx(std::string& out, const StructView& from) {
  struct statx st = {};
  if (from.bytes.size() < offsetof(struct statx, stx_blocks)) return append_quoted(out, from.bytes);
  std::memcpy(&st, from.bytes.data(), std::min(sizeof st, from.bytes.size()));
  out += "{stx_mask=";
  append_names(out, names::StatxMask, st.stx_mask);
  out += ", stx_attributes=";
  append_names(out, names::StatxAttributes, st.stx_attributes);
  out += ", stx_mode=";
  append_file_type(out, st.stx_mode);
  append_format(out, ", stx_size={}, ...}}", st.stx_size);
}

}  // namespace rehearse::syscalls
