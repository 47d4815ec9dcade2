#include "promote/kept_aside.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/sys.h"

namespace rehearse::promote {
namespace {

constexpr const char* kFile = "kept-aside";
constexpr const char* kNewFile = "kept-aside.new";
constexpr std::size_t kMostBytes = std::size_t{256} << 20U;

}  // namespace

Result<void> note_kept(const ledger::Bundle& bundle, const std::vector<std::string>& lines) {
  if (lines.empty()) return {};
  RH_TRY(std::vector<std::string> known, kept_aside(bundle));
  std::sort(known.begin(), known.end());
  std::string text;
  for (const std::string& raw : lines) {
    if (!std::binary_search(known.begin(), known.end(), raw)) text += raw + '\0';
  }
  if (text.empty()) return {};
  RH_TRY(const UniqueFd file,
         sys::open_beneath(bundle.fd(), kFile, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600));
  RH_CHECK(sys::write_all(file.get(), text));
  RH_CHECK(sys::sync_file(file.get()));
  return sys::sync_file(bundle.fd());
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
  std::vector<std::string> lines;
  auto text = sys::read_file_at(bundle.fd(), kFile, kMostBytes);
  if (!text && text.error().err == ENOENT) return lines;
  if (!text) return tl::make_unexpected(std::move(text).error());
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\0', at), text->size());
    if (end > at) lines.push_back(text->substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace rehearse::promote
