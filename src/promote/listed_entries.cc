#include "promote/listed_entries.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/escape.h"
#include "base/sys.h"
#include "effects/directory.h"
#include "promote/birth.h"
#include "promote/staleness_facts.h"

namespace rehearse::promote {
namespace {

using effects::HostRead;

/// Some of the names, of as many as there are.
class Names {
 public:
  void add(std::string_view name, const std::string& owner = {}) {
    constexpr std::size_t kMostNamed = 8;
    if (++count_ > kMostNamed) return;
    text_ += (text_.empty() ? "" : ", ") + shell_quote(name);
    if (!owner.empty()) text_ += " (" + owner + ")";
    named_ = count_;
  }
  [[nodiscard]] std::string line(const char* title) const {
    if (count_ == 0) return {};
    return fmt::format("; {}: {}{}", title, text_,
                       count_ > named_ ? fmt::format(" and {} more", count_ - named_) : "");
  }

 private:
  std::string text_;
  std::size_t count_ = 0;
  std::size_t named_ = 0;
};

/// The names in the directory under which the action found something.
std::set<std::string_view> used_names(const std::string& directory, std::span<const HostRead> reads) {
  std::set<std::string_view> names;
  const std::string head = directory == "/" ? directory : directory + '/';
  auto at = std::ranges::lower_bound(reads, head, {}, &HostRead::path);
  for (; at != reads.end() && at->path.starts_with(head); ++at) {
    const auto name = std::string_view(at->path).substr(head.size());
    if (at->uses != effects::kReadAbsent && !name.empty() && name.find('/') == std::string_view::npos)
      names.insert(name);
  }
  return names;
}

}  // namespace

std::string what_became_of(const ListedDirectory& directory, std::span<const HostRead> reads,
                           std::int64_t since_ns, const OwnMoves& own) {
  const HostRead& read = directory.read;
  std::string text;
  if (read.identity.mode != 0 && read.identity.mode != directory.now.st_mode)
    text +=
        fmt::format("; mode {:04o} -> {:04o}", read.identity.mode & 07777U, directory.now.st_mode & 07777U);
  const auto opened = sys::open_beneath(directory.file, ".", O_RDONLY | O_DIRECTORY | O_NOATIME);
  if (!opened) return text;
  const auto listing = effects::Listing::read(opened->get());
  if (!listing) return text;
  auto gone = used_names(read.path, reads);
  Names came;
  Names touched;
  Names went;
  for (const effects::Listed& entry : *listing) {
    const bool used = gone.erase(entry.name) != 0;
    const std::string name(entry.name);
    struct stat st = {};
    if (::fstatat(opened->get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0 ||
        to_ns(st.st_ctim) <= since_ns || own.explain(read.path + '/' + name, to_ns(st.st_ctim)))
      continue;
    if (is_born_since(opened->get(), name, since_ns))
      came.add(name, owner_of(st));
    else if (!used && !S_ISDIR(st.st_mode))
      touched.add(name, owner_of(st));
  }
  for (const std::string_view name : gone) {
    if (!own.took_away(read.path + '/' + std::string(name))) went.add(name);
  }
  const std::string names =
      came.line("came since") + went.line("gone since") + touched.line("came or was edited since");
  if (!names.empty()) return text + names;
  if (to_ns(directory.now.st_mtim) > since_ns)
    return text + "; an entry came, went or has got another name: which one is not on record";
  return text.empty() ? "; its attributes were changed, not its entries" : text;
}

}  // namespace rehearse::promote
