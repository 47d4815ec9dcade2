#include "report/process_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include "base/escape.h"
#include "base/units.h"
#include "report/run_text.h"
#include "report/text_width.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kDeepest = 24;
constexpr std::size_t kMostEarlier = 4;
constexpr std::size_t kEarlierLimit = 200;
constexpr std::size_t kCommandLimit = 4096;  // bytes of a command before it is fitted to the line

std::string ending(const ProcessRecord& process) {
  if (process.signal) {
    const char* name = ::sigabbrev_np(*process.signal);
    return name != nullptr ? std::string("SIG") + name : fmt::format("signal {}", *process.signal);
  }
  if (!process.end_ns) return "lives";
  return fmt::format("exit {}", process.exit.value_or(0));
}

bool failed(const ProcessRecord& process) {
  return process.signal || process.exit.value_or(0) != 0 || !process.end_ns;
}

/// " (was /bin/sh, /usr/bin/env)": another program may have done what this process did.
std::string earlier_programs(const ProcessRecord& process) {
  if (process.earlier.empty()) return {};
  std::string text;
  for (std::size_t i = 0; i < std::min(process.earlier.size(), kMostEarlier); ++i)
    text += (i == 0 ? " (was " : ", ") + escape_text(process.earlier[i].exe, kEarlierLimit);
  if (process.earlier.size() > kMostEarlier)
    text += fmt::format(" and {} more", process.earlier.size() - kMostEarlier);
  return text + ')';
}

std::string users(const ProcessRecord& process) {
  std::string text;
  for (std::size_t i = 0; i < std::min(process.uids.size(), kMostEarlier); ++i)
    text += fmt::format("{}{}", i == 0 ? " (uid " : " → ", process.uids[i].uid);
  if (process.uids.size() > kMostEarlier)
    text += fmt::format(" and {} more", process.uids.size() - kMostEarlier);
  return text.empty() ? text : text + ')';
}

std::string_view base_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

/// Where /bin is a link to /usr/bin it is the same.
std::string_view directory_of(std::string_view path) {
  path = path.substr(0, path.rfind('/') + 1);
  return path.starts_with("/usr/") ? path.substr(4) : path;
}

/// " (called itself /usr/bin/dpkg)": what a process tells ps(1) it is, where that is another name than that
/// of the file that was executed. Part of the name is what links are called: sh of dash, python3 of
/// python3.11.
std::string claimed_name(const ProcessRecord& process) {
  if (process.exe.empty() || process.argv.empty() || process.argv.front().empty()) return {};
  const std::string_view name = process.argv.front();
  std::string_view base = base_of(name);
  if (base == name && base.starts_with('-')) base.remove_prefix(1);  // a login shell
  const bool same_name = !base.empty() && base_of(process.exe).find(base) != std::string_view::npos;
  const bool same_place = !name.starts_with('/') || directory_of(name) == directory_of(process.exe);
  if (same_name && same_place) return {};
  return " (called itself " + escape_text(process.argv.front(), kEarlierLimit) + ')';
}

std::string command(const ProcessRecord& process) {
  std::string text = escape_text(process.exe.empty() ? process.comm : process.exe, kCommandLimit);
  text += claimed_name(process);
  if (process.forked) text += " (fork)";
  if (process.argv.size() > 1) text += ' ' + words_text(std::span(process.argv).subspan(1), kCommandLimit);
  if (process.argv_cut) text += " … (more of it was not recorded)";
  text += earlier_programs(process) + users(process);
  if (process.secure) text += " (took privileges)";
  if (process.role != "action") text += " (" + escape_text(process.role, 16) + ')';
  return text;
}

}  // namespace

std::string process_tree_text(const RunRecord& record, const Style& style, std::size_t columns,
                              std::size_t most) {
  std::map<std::uint32_t, std::vector<const ProcessRecord*>> children;
  for (const ProcessRecord& process : record.processes) {
    // A record that was not written by us may say anything; a parent comes before its child.
    children[process.parent < process.id ? process.parent : 0].push_back(&process);
  }
  std::string text;
  std::size_t shown = 0;
  std::size_t left_out = 0;
  std::vector<std::pair<const ProcessRecord*, std::size_t>> stack;
  const auto push = [&](std::uint32_t parent, std::size_t depth) {
    const auto found = children.find(parent);
    if (found == children.end()) return;
    for (auto child = found->second.rbegin(); child != found->second.rend(); ++child)
      stack.emplace_back(*child, depth);
  };
  push(0, 0);
  while (!stack.empty()) {
    const auto [process, depth] = stack.back();
    stack.pop_back();
    push(process->id, depth + 1);
    if (shown >= most && !failed(*process)) {
      ++left_out;
      continue;
    }
    ++shown;
    const std::string took =
        process->end_ns ? format_duration(*process->end_ns - process->start_ns) : std::string("-");
    const std::string head = fmt::format("  {:>4}  {:<9} {:>8}  ", process->id, ending(*process), took);
    const std::string indent(2 * std::min(depth, kDeepest), ' ');
    std::string what = command(*process);
    const std::size_t used = text_width(head) + indent.size();
    if (columns > used + 16) what = fit_middle(what, columns - used);
    text += failed(*process) ? style.yellow(head) : head;
    text.append(indent).append(what) += '\n';
  }
  if (left_out != 0)
    text += fmt::format("  and {} more that ended with 0: `rehearse show {} --json`\n", left_out,
                        escape_text(record.id, 80));
  return text;
}

std::string slowest_text(const RunRecord& record, std::size_t columns, std::size_t most) {
  std::vector<const ProcessRecord*> ended;
  for (const ProcessRecord& process : record.processes) {
    if (process.end_ns) ended.push_back(&process);
  }
  if (ended.size() < 2) return {};
  const auto took = [](const ProcessRecord* process) { return *process->end_ns - process->start_ns; };
  std::ranges::stable_sort(ended, [&](const auto* a, const auto* b) { return took(a) > took(b); });
  if (ended.size() > most) ended.resize(most);
  std::string text;
  for (const ProcessRecord* process : ended) {
    const std::string head =
        fmt::format("  {:>4}  {:>9}  {:>9} computing  ", process->id, format_duration(took(process)),
                    format_duration(process->user_ns + process->system_ns));
    std::string what = command(*process);
    const std::size_t used = text_width(head);
    if (columns > used + 16) what = fit_middle(what, columns - used);
    text.append(head).append(what) += '\n';
  }
  return text;
}

}  // namespace rehearse::report
