#include "trace/address_looks.h"

#include <sys/socket.h>

#include <utility>

#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMostLooks = 65536;  ///< threads
constexpr std::size_t kMostAddresses = 1024;

bool makes_socket(const Record& record) {
  return record.head().abi == 0 && record.head().nr == Nr::socket;
}

/// As glibc makes it: socket(family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_IP).
bool is_for_looking(const Record& record) {
  const std::uint64_t family = record.argument(0);
  return (family == AF_INET || family == AF_INET6) &&
         record.argument(1) == (std::uint64_t{SOCK_DGRAM} | SOCK_CLOEXEC) && record.argument(2) == 0 &&
         reinterpret_cast<const struct rh_call&>(record.head()).result >= 0;
}

/// Of the socket that is looked with.
bool belongs(const Record& record, std::int32_t fd) {
  const struct rh_head& head = record.head();
  if (head.abi != 0) return false;
  const bool known = head.nr == Nr::connect || head.nr == Nr::getsockname || head.nr == Nr::close;
  return known && static_cast<std::int32_t>(record.argument(0)) == fd;
}

}  // namespace

void AddressLooks::add(const Record& record) {
  const struct rh_head& head = record.head();
  const bool call = head.kind == RH_ENTER || head.kind == RH_EXIT;
  if (makes_socket(record)) {
    if (head.kind == RH_EXIT) made(record);
    return;
  }
  if (looks_.empty() || (!call && head.kind != RH_DEATH)) return;
  const auto found = looks_.find(head.tid);
  if (found == looks_.end()) return;
  Look& look = found->second;
  if (!call || !belongs(record, look.fd)) return settle(head.tid);
  if (head.kind == RH_EXIT && head.nr == Nr::close) look.fd = -1;
}

/// Another socket is made for another family only, when the one before is closed.
void AddressLooks::made(const Record& record) {
  const std::uint32_t tid = record.head().tid;
  const auto family = static_cast<int>(record.argument(0));
  const bool looks = is_for_looking(record);
  const auto found = looks_.find(tid);
  if (found != looks_.end() && (!looks || found->second.family == family || found->second.fd >= 0))
    settle(tid);
  if (!looks || looks_.size() >= kMostLooks) return;
  Look& look = looks_[tid];
  look.family = family;
  look.fd = static_cast<std::int32_t>(reinterpret_cast<const struct rh_call&>(record.head()).result);
}

bool AddressLooks::take(std::uint32_t tid, const IpAddress& address, std::uint16_t port,
                        NetworkAttempt* attempt) {
  const auto found = looks_.find(tid);
  if (found == looks_.end()) return false;
  Look& look = found->second;
  if (!look.addresses.empty() && look.port != port) {
    settle(tid);
    return false;
  }
  if (look.addresses.size() >= kMostAddresses) return false;
  look.port = port;
  look.addresses.insert(address);
  if (attempt != nullptr) look.attempts.push_back(std::move(*attempt));
  return true;
}

void AddressLooks::settle(std::uint32_t tid) {
  const auto found = looks_.find(tid);
  if (found == looks_.end()) return;
  Look look = std::move(found->second);
  looks_.erase(found);
  for (NetworkAttempt& attempt : look.attempts) {
    attempt.looks = look.addresses.size() > 1 && look.fd < 0;
    note_(std::move(attempt));
  }
}

void AddressLooks::finish() {
  while (!looks_.empty()) settle(looks_.begin()->first);
}

}  // namespace rehearse::trace
