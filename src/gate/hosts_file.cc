#include "gate/hosts_file.h"

#include <algorithm>

#include "base/ascii.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kLongestName = 255;  ///< RFC 1035

/// Takes a word off the front; empty at the end.
std::string_view take_word(std::string_view& text) {
  constexpr std::string_view kBlanks = " \t\r\v\f";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

HostsFile HostsFile::parse(std::string_view text) {
  HostsFile file;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const auto address = parse_ip(take_word(line));
    if (!address) continue;
    for (std::string_view name = take_word(line); !name.empty(); name = take_word(line)) {
      if (name.size() > kLongestName) continue;
      file.first_names_.try_emplace(*address, ascii_lower(name));
      file.names_[ascii_lower(name)].push_back(*address);
    }
  }
  return file;
}

std::string_view HostsFile::name_of(const IpAddress& address) const {
  const auto found = first_names_.find(address);
  return found == first_names_.end() ? std::string_view() : std::string_view(found->second);
}

const std::vector<IpAddress>& HostsFile::find(std::string_view name) const {
  static const std::vector<IpAddress> kNone;
  const auto found = names_.find(ascii_lower(name));
  return found == names_.end() ? kNone : found->second;
}

}  // namespace rehearse::gate
