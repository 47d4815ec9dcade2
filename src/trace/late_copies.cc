#include "trace/late_copies.h"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace rehearse::trace {
namespace {

constexpr std::size_t kPage = 4096;

/// The arguments whose string could not be read, a bit each.
std::uint8_t faulted(const Record& record) {
  unsigned bits = 0;
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind == RH_TEXT && attachment.arg < 6 && (attachment.flags & RH_FAULT) != 0)
      bits |= 1U << attachment.arg;
  });
  return static_cast<std::uint8_t>(bits);
}

}  // namespace

const struct rh_head* LateCopies::before(const Record& record) {
  const struct rh_head& head = record.head();
  if (head.kind == RH_ENTER) {
    if (const std::uint8_t bits = faulted(record); bits != 0)
      unread_[head.tid] = bits;
    else if (!unread_.empty())
      unread_.erase(head.tid);
    return nullptr;
  }
  if (head.kind == RH_DEATH && !unread_.empty()) unread_.erase(head.tid);
  if (head.kind != RH_EXIT || unread_.empty()) return nullptr;
  const auto found = unread_.find(head.tid);
  if (found == unread_.end()) return nullptr;
  const unsigned both = found->second & faulted(record);
  unread_.erase(found);
  // Then the kernel could not read it either.
  if (both == 0 || reinterpret_cast<const struct rh_call&>(head).result == -EFAULT) return nullptr;
  made_.assign(sizeof(struct rh_head), '\0');
  for (std::uint8_t arg = 0; arg < 6; ++arg) {
    if ((both >> arg & 1U) != 0) copy(record, arg);
  }
  if (made_.size() == sizeof(struct rh_head)) return nullptr;
  auto& late = reinterpret_cast<struct rh_head&>(made_.front());
  late.size = static_cast<std::uint32_t>(made_.size());
  late.kind = RH_LATE;
  late.time_ns = head.time_ns;
  late.tid = head.tid;
  late.nr = head.nr;
  return &late;
}

/// The string of that argument, as an attachment to what is being made; nothing if it is not there any more.
void LateCopies::copy(const Record& exit, std::uint8_t arg) {
  std::vector<char> text(RH_TEXT_MAX);
  const std::size_t there = read_(exit.head().tid, exit.argument(arg), text.data(), text.size());
  const auto end = std::find(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(there), '\0');
  const auto length = static_cast<std::size_t>(end - text.begin());
  if (there == 0) return;
  struct rh_attachment head = {};
  head.kind = RH_TEXT;
  head.arg = arg;
  head.flags = length == there ? RH_CUT : 0;
  head.length = static_cast<std::uint32_t>(length);
  const auto* bytes = reinterpret_cast<const char*>(&head);
  made_.insert(made_.end(), bytes, bytes + sizeof head);
  made_.insert(made_.end(), text.begin(), end);
  made_.resize((made_.size() + 7) & ~std::size_t{7}, '\0');
}

std::size_t LateCopies::read_process(std::uint32_t tid, std::uint64_t address, char* to, std::size_t size) {
  // Page by page: what lies behind the string need not be there.
  std::size_t there = 0;
  while (there < size) {
    const std::uint64_t from = address + there;
    const std::size_t wanted = std::min(size - there, kPage - static_cast<std::size_t>(from % kPage));
    struct iovec local = {to + there, wanted};
    struct iovec remote = {reinterpret_cast<void*>(from), wanted};
    const ssize_t n = ::process_vm_readv(static_cast<pid_t>(tid), &local, 1, &remote, 1, 0);
    if (n <= 0) break;
    there += static_cast<std::size_t>(n);
    if (std::memchr(to + there - n, 0, static_cast<std::size_t>(n)) != nullptr) break;
  }
  return there;
}

}  // namespace rehearse::trace
