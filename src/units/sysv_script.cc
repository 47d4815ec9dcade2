#include "units/sysv_script.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"

namespace rehearse::units {
namespace {

constexpr std::string_view kBlank = " \t\r";
constexpr std::size_t kMaxDescription = 1024;

/// usage_contains_reload()
bool offers_reload(std::string_view line) {
  static constexpr std::array<std::string_view, 6> kUsages = {"{reload|", "{reload}", "{reload\"",
                                                              "|reload|", "|reload}", "|reload\""};
  return std::any_of(kUsages.begin(), kUsages.end(),
                     [&](std::string_view usage) { return line.find(usage) != std::string_view::npos; });
}

}  // namespace

std::string sysv_unit_text(std::string_view path, std::string_view script) {
  constexpr std::string_view kDescription = "Short-Description:";
  std::string description;
  bool reloads = false;
  bool header = false;
  while (!script.empty()) {
    const std::size_t end = std::min(script.find('\n'), script.size());
    std::string_view line = trim(script.substr(0, end), kBlank);
    script.remove_prefix(std::min(end + 1, script.size()));
    if (line == "### BEGIN INIT INFO") {
      header = true;
    } else if (line == "### END INIT INFO") {
      header = false;
    } else if (!header) {
      reloads = reloads || offers_reload(line);
    } else if (line.starts_with('#')) {
      line = trim(line.substr(1), kBlank);
      if (line.starts_with(kDescription))
        description = trim(line.substr(kDescription.size()), kBlank).substr(0, kMaxDescription);
    }
  }
  std::string shown;  // a value whose specifiers stand for themselves and which no line continues
  for (const char c : description) shown += c == '%' ? "%%" : std::string(1, c);
  while (shown.ends_with('\\')) shown.pop_back();
  std::string unit =
      fmt::format("[Unit]\nDocumentation=man:systemd-sysv-generator(8)\nSourcePath={}\n", path);
  if (!shown.empty()) unit += fmt::format("Description=LSB: {}\n", shown);
  unit += fmt::format(
      "[Service]\nType=forking\nRestart=no\nTimeoutSec=5min\nIgnoreSIGPIPE=no\nKillMode="
      "process\nGuessMainPID=no\n"
      "RemainAfterExit=yes\nSuccessExitStatus=5 6\nExecStart={0} start\nExecStop={0} stop\n",
      path);
  if (reloads) unit += fmt::format("ExecReload={} reload\n", path);
  return unit;
}

}  // namespace rehearse::units
