#include "report/process_list.h"

#include <fmt/format.h>

namespace rehearse::report {

std::string process_list(const std::set<std::uint32_t>& processes) {
  constexpr std::size_t kMost = 8;
  std::string text;
  std::size_t listed = 0;
  for (const std::uint32_t process : processes) {
    if (++listed > kMost) return text + fmt::format(", {} more", processes.size() - kMost);
    text += (text.empty() ? "" : ", ") + std::to_string(process);
  }
  return text;
}

}  // namespace rehearse::report
