#include "report/network_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "base/escape.h"
#include "base/units.h"
#include "report/process_list.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kNameLimit = 256;
constexpr std::size_t kMostDetails = 12;  ///< of one destination

bool is_denied(const NetworkRecord& to) {
  return to.verdict == "denied";
}

/// Denied attempts come first, what is not there last.
int rank(const NetworkRecord& to) {
  return is_denied(to) ? 0 : to.verdict == "absent" ? 2 : 1;
}

/// What a name server was asked for is written with the escapes of DNS already: "\027" is one byte.
std::string name_text(const std::string& name) {
  const std::string text = escape_text(name, kNameLimit);
  std::string once;
  for (std::size_t i = 0; i < text.size(); ++i) {
    once += text[i];
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '\\') ++i;
  }
  return once;
}

/// "tcp example.com:443 (198.18.7.9)", "icmp 192.0.2.1".
std::string destination(const NetworkRecord& to) {
  const std::string proto = escape_text(to.proto, 16);
  const std::string dst = escape_text(to.dst, kNameLimit);
  const std::string port = to.port == 0 ? "" : fmt::format(":{}", to.port);
  if (!to.name.empty())
    return fmt::format("{} {}{} ({}{})", proto, name_text(to.name), port, dst,
                       to.name_from.empty() ? "" : " by " + escape_text(to.name_from, kNameLimit));
  const bool six = !port.empty() && to.dst.find(':') != std::string::npos;
  return fmt::format("{} {}{}", proto, six ? '[' + dst + ']' : dst, port);
}

/// All attempts at one destination with one outcome, and what they were for.
struct Group {
  const NetworkRecord* first = nullptr;
  std::uint64_t count = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t bytes_in = 0;
  std::set<std::uint32_t> processes;
  std::vector<std::string> details;  ///< the first of them, in their order
  std::set<std::string> all_details;
};

/// What differs between the attempts of a group.
std::vector<std::string> details_of(const NetworkRecord& to) {
  std::vector<std::string> details;
  const auto add = [&details](const char* what, const std::string& value) {
    if (!value.empty()) details.push_back(fmt::format("{} {}", what, escape_text(value, kNameLimit)));
  };
  add("would have reached", to.reached);
  add("ended by", to.ended);
  add("TLS server name", to.sni);
  add("HTTP", to.http_host + to.http_path);
  add("rule", to.rule);
  return details;
}

std::vector<Group> group(const RunRecord& record) {
  using Key = std::tuple<std::string, std::string, std::string, std::uint16_t, std::string, std::string>;
  std::map<Key, std::size_t> known;
  std::vector<Group> groups;
  for (const NetworkRecord& to : record.network) {
    if (to.probe) continue;
    const auto [at, fresh] =
        known.emplace(Key(to.verdict, to.proto, to.dst, to.port, to.name, to.error), groups.size());
    if (fresh) groups.emplace_back().first = &to;
    Group& group = groups[at->second];
    group.count += to.count;
    group.bytes_out += to.bytes_out;
    group.bytes_in += to.bytes_in;
    group.processes.insert(to.process);
    for (std::string& detail : details_of(to)) {
      if (group.all_details.insert(detail).second && group.details.size() < kMostDetails)
        group.details.push_back(std::move(detail));
    }
  }
  std::ranges::stable_sort(groups, {}, [](const Group& one) { return rank(*one.first); });
  return groups;
}

std::string group_line(const Group& group, const Style& style) {
  const NetworkRecord& to = *group.first;
  std::string verdict = fmt::format("{:<8}", escape_text(to.verdict, 16));
  if (is_denied(to)) verdict = style.yellow(verdict);
  std::string line = fmt::format("  {} {:<14} {}", verdict, escape_text(to.error, 32), destination(to));
  if (group.count > 1) line += fmt::format(" ×{}", group.count);
  line += "  [" + process_list(group.processes) + "]\n";
  for (const std::string& detail : group.details) line += "      " + detail + '\n';
  if (group.all_details.size() > group.details.size())
    line += fmt::format("      and {} more: see --json\n", group.all_details.size() - group.details.size());
  if (group.bytes_out != 0 || group.bytes_in != 0)
    line += fmt::format("      {} out, {} in\n", format_bytes(group.bytes_out), format_bytes(group.bytes_in));
  return line;
}

/// One line for each address.
std::string listeners_text(const RunRecord& record, const Style& style, std::size_t most) {
  struct Waiting {
    std::set<std::uint32_t> processes;
    std::string taken_by;
    std::uint64_t count = 0;
  };
  std::map<std::tuple<bool, std::string, std::string, std::uint16_t>, Waiting> all;
  for (const ListenerRecord& one : record.listeners) {
    const std::uint16_t port = one.any_port ? std::uint16_t{0} : one.port;
    Waiting& waiting = all[{!one.outside, one.proto, one.address, port}];
    waiting.processes.insert(one.process);
    waiting.taken_by = one.taken_by;
    waiting.count += one.count;
  }
  std::string text;
  std::size_t shown = 0;
  for (const auto& [end, waiting] : all) {
    if (++shown > most) break;
    const auto& [local, proto, address, port] = end;
    NetworkRecord own;
    own.proto = proto;
    own.dst = address;
    own.port = port;
    const std::string verdict = fmt::format("{:<8}", "listens");
    text += fmt::format(
        "  {} {:<14} {}{}{}  [{}]\n", local ? verdict : style.yellow(verdict), local ? "this host" : "",
        destination(own), port == 0 ? ", a port of the kernel's choice" : "",
        waiting.count > 1 ? fmt::format(" ×{}", waiting.count) : "", process_list(waiting.processes));
    if (!waiting.taken_by.empty())
      text += "      has it on this host: " + escape_text(waiting.taken_by, kNameLimit) + '\n';
  }
  if (all.size() > most) text += fmt::format("  and {} more: see --json\n", all.size() - most);
  return text;
}

/// " at 9.9.9.9", " at 9.9.9.9 and 2 more".
std::string server_text(const DnsRecord& asked) {
  if (asked.servers.empty()) return {};
  const std::string more =
      asked.servers.size() > 1 ? fmt::format(" and {} more", asked.servers.size() - 1) : "";
  return " at " + escape_text(*asked.servers.begin(), 64) + more;
}

}  // namespace

NetworkCounts count_network(const RunRecord& record) {
  NetworkCounts counts;
  for (const NetworkRecord& to : record.network) {
    if (to.probe) continue;
    if (is_denied(to))
      counts.denied += to.count;
    else if (to.verdict == "passed")
      counts.passed += to.count;
    else if (to.verdict != "absent")
      counts.mocked += to.count;
  }
  return counts;
}

std::string proven_name(const NetworkRecord& to) {
  return to.name_from.empty() ? to.name : std::string();
}

std::string network_line(const NetworkCounts& counts) {
  std::string line;
  const auto add = [&line](std::uint64_t count, const char* what) {
    if (count != 0) line += fmt::format("{}{} {}", line.empty() ? "" : ", ", count, what);
  };
  add(counts.denied, "denied");
  add(counts.mocked, "mocked");
  add(counts.passed, "passed");
  return line;
}

std::string network_text(const RunRecord& record, const Style& style, std::size_t most) {
  std::string text;
  const auto groups = group(record);
  for (std::size_t i = 0; i < groups.size() && i < most; ++i) text += group_line(groups[i], style);
  if (groups.size() > most) text += fmt::format("  and {} more: see --json\n", groups.size() - most);
  text += listeners_text(record, style, most);
  std::set<std::string> connected;
  for (const NetworkRecord& to : record.network)
    if (!to.probe) connected.insert(to.name);
  std::size_t names = 0;
  for (const DnsRecord& asked : record.dns) {
    if (connected.contains(asked.name)) continue;
    if (++names > most) continue;
    text += fmt::format("  looked up {} {}: {}{}{}{}\n", name_text(asked.name), escape_text(asked.type, 16),
                        escape_text(asked.answer, 32),
                        asked.count > 1 ? fmt::format(" ×{}", asked.count) : "", server_text(asked),
                        asked.processes.empty() ? "" : "  [" + process_list(asked.processes) + "]");
  }
  if (names > most) text += fmt::format("  and {} more names: see --json\n", names - most);
  return text;
}

}  // namespace rehearse::report
