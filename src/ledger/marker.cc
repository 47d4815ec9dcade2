#include "ledger/marker.h"

#include <string_view>

#include "base/sys.h"
#include "ledger/layout.h"

namespace rehearse::ledger {
namespace {

constexpr std::size_t kMostBytes = 4096;

}  // namespace

void note_command(int marker, std::span<const std::string> argv) {
  std::string text;
  for (const std::string& word : argv) {
    if (text.size() + word.size() >= kMostBytes) break;
    (text += word) += '\0';
  }
  (void)sys::write_all(marker, text);
}

std::vector<std::string> noted_command(int state, const char* directory, const std::string& id) {
  std::vector<std::string> argv;
  const auto text = sys::read_file_at(state, in(directory, id).c_str(), kMostBytes);
  if (!text) return argv;
  std::string_view rest = *text;
  // What is not ended by NUL was being written.
  for (std::size_t end = rest.find('\0'); end != std::string_view::npos; end = rest.find('\0')) {
    argv.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return argv;
}

}  // namespace rehearse::ledger
