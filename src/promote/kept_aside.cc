#include "promote/kept_aside.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/sys.h"

namespace rehearse::promote {
namespace {

constexpr const char* kFile = "kept-aside";
constexpr const char* kNewFile = "kept-aside.new";
constexpr const char* kLeftFile = "left-behind";
constexpr std::size_t kMostBytes = std::size_t{256} << 20U;

Result<std::vector<std::string>> read_lines(const ledger::Bundle& bundle, const char* name) {
  std::vector<std::string> lines;
  auto text = sys::read_file_at(bundle.fd(), name, kMostBytes);
  if (!text && text.error().err == ENOENT) return lines;
  if (!text) return tl::make_unexpected(std::move(text).error());
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\0', at), text->size());
    if (end > at) lines.push_back(text->substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

Result<void> add_lines(const ledger::Bundle& bundle, const char* name,
                       const std::vector<std::string>& lines) {
  if (lines.empty()) return {};
  RH_TRY(std::vector<std::string> known, read_lines(bundle, name));
  std::sort(known.begin(), known.end());
  std::string text;
  for (const std::string& raw : lines) {
    if (!std::binary_search(known.begin(), known.end(), raw)) text += raw + '\0';
  }
  if (text.empty()) return {};
  RH_TRY(const UniqueFd file,
         sys::open_beneath(bundle.fd(), name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600));
  RH_CHECK(sys::write_all(file.get(), text));
  RH_CHECK(sys::sync_file(file.get()));
  return sys::sync_file(bundle.fd());
}

}  // namespace

Result<void> note_kept(const ledger::Bundle& bundle, const std::vector<std::string>& lines) {
  return add_lines(bundle, kFile, lines);
}

Result<void> note_only_kept(const ledger::Bundle& bundle, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\0';
  (void)sys::unlink_at(bundle.fd(), kNewFile, 0);
  {
    RH_TRY(const UniqueFd file,
           sys::open_beneath(bundle.fd(), kNewFile, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    RH_CHECK(sys::write_all(file.get(), text));
    RH_CHECK(sys::sync_file(file.get()));
  }
  RH_CHECK(sys::rename_at(bundle.fd(), kNewFile, bundle.fd(), kFile));
  return sys::sync_file(bundle.fd());
}

Result<std::vector<std::string>> kept_aside(const ledger::Bundle& bundle) {
  return read_lines(bundle, kFile);
}

Result<void> note_left_behind(const ledger::Bundle& bundle, const std::string& mountpoint) {
  return add_lines(bundle, kLeftFile, {mountpoint});
}

Result<std::vector<std::string>> left_behind(const ledger::Bundle& bundle) {
  return read_lines(bundle, kLeftFile);
}

}  // namespace rehearse::promote
