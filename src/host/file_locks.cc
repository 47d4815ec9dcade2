#include "host/file_locks.h"

#include <sys/sysmacros.h>

#include <charconv>
#include <optional>

#include "base/sys.h"

namespace rehearse::host {
namespace {

constexpr std::size_t kMostText = std::size_t{16} << 20U;

/// Up to the next blank or end of line.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

template <class Number>
std::optional<Number> number(std::string_view text, int base) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "fe:00:409338": numbers of the device in hexadecimal, of the inode in decimal.
bool take_object(std::string_view word, FileLock& lock) {
  const std::size_t first = word.find(':');
  const std::size_t second = first == word.npos ? word.npos : word.find(':', first + 1);
  if (second == word.npos) return false;
  const auto major = number<unsigned>(word.substr(0, first), 16);
  const auto minor = number<unsigned>(word.substr(first + 1, second - first - 1), 16);
  const auto inode = number<std::uint64_t>(word.substr(second + 1), 10);
  if (!major || !minor || !inode) return false;
  lock.dev = makedev(*major, *minor);
  lock.ino = *inode;
  return true;
}

std::optional<FileLock> parse_line(std::string_view line) {
  FileLock lock;
  take_word(line);  // its number
  const std::string_view kind = take_word(line);
  if (kind == "POSIX" || kind == "OFDLCK")
    lock.kind = FileLock::Kind::kPosix;
  else if (kind == "LEASE" || kind == "DELEG")
    lock.kind = FileLock::Kind::kLease;
  else if (kind != "FLOCK")
    return std::nullopt;  // "->": who waits for it
  take_word(line);        // ADVISORY
  lock.write = take_word(line) == "WRITE";
  const auto pid = number<int>(take_word(line), 10);
  if (!pid || !take_object(take_word(line), lock)) return std::nullopt;
  lock.pid = std::max(*pid, 0);
  return lock;
}

}  // namespace

std::vector<FileLock> parse_locks(std::string_view text) {
  std::vector<FileLock> locks;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (const auto lock = parse_line(line)) locks.push_back(*lock);
  }
  return locks;
}

std::vector<FileLock> file_locks() {
  const auto text = sys::read_file("/proc/locks", kMostText);
  return text ? parse_locks(*text) : std::vector<FileLock>();
}

}  // namespace rehearse::host
