// Reads all attributes of one object by its parent's descriptor, and compares two sets of them.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "effects/change.h"

namespace rehearse::effects {

enum class Content {
  kHash,        ///< by kHashSparse if more than 8 GiB of it are holes, else by kHashPlain
  kHashPlain,   ///< SHA-256 of its bytes
  kHashSparse,  ///< sparse_sha256_fd()
  kSkip,        ///< it is secret or irrelevant
};
/// As the content of `recorded` was read, to compare with it.
Content content_as(const Attributes& recorded);
enum class Store { kHost, kUpper };  ///< kUpper: what overlayfs shows as flags counts as such

FileType file_type(const struct stat& st);

/// Attributes of `name` in directory `dir`, `st` being its lstat; without `st` it is a regular file by its
/// directory's listing, and `st` is filled in. Regular files are opened without following and without
/// blocking, of everything else only directories are opened. The digest is of the bytes of the opened inode,
/// which must still be the one of `st`.
Result<Attributes> read_attributes(int dir, const char* name, std::optional<struct stat>& st, Content content,
                                   Store store = Store::kHost);

/// What read_attributes does for a regular file, in two steps. `st` is filled in anew, from the opened inode.
Result<UniqueFd> open_file(int dir, const char* name, std::optional<struct stat>& st);
/// Reads `file` from where it stands, which is its start.
Result<Attributes> read_open_file(int file, const struct stat& st, Content content,
                                  Store store = Store::kHost);

struct Window {
  std::int64_t from_ns = 0;
  std::int64_t to_ns = 0;
  [[nodiscard]] bool contains(std::int64_t ns) const { return ns >= from_ns && ns <= to_ns; }
};

/// Of an object's flags: those that mean something to a user and that copy-up carries over; layout flags
/// differ between filesystems.
std::uint32_t compared_flags(const Attributes& attributes);

/// What differs, in the words of Change::also; "modified" stands for content. Empty: nothing at all. A new
/// mtime that the run's own writing explains (inside `window`) is "touched", any other is "mtime".
std::vector<std::string> compare(const Attributes& before, const Attributes& after, FileType type,
                                 const Window& window);

/// What became of `change`, whose `before` and `after` are objects of the same type; fills in `also`.
/// `replaced`: a directory that was removed and made again. Nothing: not worth a record.
std::optional<ChangeKind> classify(Change& change, bool replaced, const Window& window);

/// A directory of which only a time differs.
bool is_only_a_time(const Change& change);
/// One of these where the host's own changed meanwhile: others write in it too, and it is not the action that
/// moved the host's time. It is not promoted, and keeps nothing from being promoted.
bool is_others_time(const Change& change);

}  // namespace rehearse::effects
