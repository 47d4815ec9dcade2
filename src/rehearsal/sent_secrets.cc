#include "rehearsal/sent_secrets.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace rehearse {
namespace {

/// Of a kind of socket that there is not inside. An echo socket is a try: who is refused one goes on to send
/// by another, to an address; a socket of the controller lists and sets up Bluetooth adapters.
bool is_kind_without_peer(std::string_view kind) {
  constexpr auto kKinds = std::to_array<std::string_view>({"AF_NETLINK", "AF_ALG", "AF_KEY"});
  const auto any_of = [&](const auto& list) {
    return std::ranges::any_of(list, [&](std::string_view word) { return kind.starts_with(word); });
  };
  const bool echo = kind.starts_with("AF_INET") && kind.find("SOCK_DGRAM") != std::string_view::npos &&
                    kind.find("IPPROTO_ICMP") != std::string_view::npos;
  const bool controller = kind.starts_with("AF_BLUETOOTH, SOCK_RAW") && kind.ends_with(", 1");  // BTPROTO_HCI
  return echo || controller || any_of(kKinds);
}

/// They compare a password, or look whether it has expired, and hand nothing of it on.
bool is_for_logging_in(std::string_view exe) {
  constexpr auto kPrograms = std::to_array<std::string_view>(
      {"bin/su", "bin/sudo", "bin/login", "bin/passwd", "bin/chage", "bin/chfn", "bin/chsh", "bin/newgrp",
       "bin/gpasswd", "bin/crontab", "bin/pkexec", "sbin/runuser", "sbin/unix_chkpwd", "sbin/chpasswd",
       "sbin/cron", "sbin/sshd"});
  if (exe.starts_with("/usr/")) exe.remove_prefix(4);
  return exe.starts_with('/') && std::ranges::find(kPrograms, exe.substr(1)) != kPrograms.end();
}

bool has_passwords(std::string_view path) {
  constexpr auto kFiles =
      std::to_array<std::string_view>({"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"});
  return std::ranges::find(kFiles, path) != kFiles.end();
}

const report::ProcessRecord* find(const report::RunRecord& record, std::uint32_t id) {
  const auto found = std::ranges::find(record.processes, id, &report::ProcessRecord::id);
  return found == record.processes.end() ? nullptr : &*found;
}

/// When the last ended of those that may have what the process has open: it and all that come from it.
std::int64_t end_of_family(const report::RunRecord& record, const report::ProcessRecord& first) {
  std::set<std::uint32_t> family = {first.id};
  std::int64_t end = first.end_ns.value_or(INT64_MAX);
  for (const report::ProcessRecord& process : record.processes) {  // parents come before their children
    if (!family.contains(process.parent) || process.id == first.id) continue;
    family.insert(process.id);
    end = std::max(end, process.end_ns.value_or(INT64_MAX));
  }
  return end;
}

/// The action was told that there is no such name, or nothing: it may have gone on to send on a host.
bool was_turned_away(const report::DnsRecord& asked) {
  return asked.answer == "refused" || asked.answer == "nxdomain";
}

}  // namespace

bool stays_local(const report::NetworkRecord& to) {
  // Known of this host's own addresses only: who has the port there, or that nobody has.
  if (to.proto == "unix" || to.verdict == "absent" || !to.reached.empty()) return true;
  if (to.proto == "other" && is_kind_without_peer(to.dst)) return true;
  return to.dst.starts_with("127.") || to.dst == "::1";
}

bool stays_local(const report::DnsRecord& asked) {
  static constexpr std::string_view kTellNothing[] = {
      "localhost", "1.0.0.127.in-addr.arpa", "1.1.0.127.in-addr.arpa",
      "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa"};
  return asked.answer == "local" && std::ranges::find(kTellNothing, asked.name) != std::end(kTellNothing);
}

SentSecrets::SentSecrets(const report::RunRecord& record) : record_(record) {
  reaches_out_ =
      std::ranges::any_of(record.network, [](const auto& to) { return !to.probe && !stays_local(to); }) ||
      std::ranges::any_of(record.dns, [](const auto& asked) { return !stays_local(asked); });
  for (const report::SecretOpening& opening : record.reads.openings) timed_.insert(opening.path);
}

bool SentSecrets::may_be_sent(const std::string& path) const {
  if (!reaches_out_) return false;
  if (!timed_.contains(path)) return true;
  return std::ranges::any_of(record_.reads.openings, [&](const report::SecretOpening& opening) {
    return opening.path == path && may_be_sent(opening);
  });
}

bool SentSecrets::may_be_sent(const report::SecretOpening& opening) const {
  const bool compares = has_passwords(opening.path) && is_for_logging_in(opening.exe);
  const bool attempted = std::ranges::any_of(record_.network, [&](const report::NetworkRecord& to) {
    if (to.probe || stays_local(to)) return false;
    if (compares && (to.process != opening.process || to.exe != opening.exe)) return false;
    return precedes(opening, to);
  });
  if (attempted) return true;
  if (compares) return false;
  // Who asked for a name is not known. What came of one that led to an attempt is seen by that.
  return std::ranges::any_of(record_.dns, [&](const report::DnsRecord& asked) {
    if (stays_local(asked)) return false;
    if (was_turned_away(asked) || !asked.time_ns) return true;
    return opening.time_ns <= *asked.time_ns;
  });
}

/// Afterwards, or into a connection that was still there: a pipeline's reader may connect before its writer
/// opens anything, and what connected leaves the connection to what it starts.
bool SentSecrets::precedes(const report::SecretOpening& opening, const report::NetworkRecord& to) const {
  if (opening.time_ns <= to.time_ns) return true;
  const report::ProcessRecord* reader = find(record_, opening.process);
  const report::ProcessRecord* sender = find(record_, to.process);
  if (reader == nullptr || sender == nullptr) return true;
  return reader->start_ns <= end_of_family(record_, *sender);
}

}  // namespace rehearse
