// What a promotion does to the host, as data: a list of operations, each one rename (or the setting of
// attributes in place), each with what it expects to find. The same list, read backwards, undoes it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "effects/change.h"
#include "promote/directory_handle.h"
#include "promote/object_print.h"

namespace rehearse::promote {

/// Where a path of an operation begins: at the root of the mount that the action changed, or in the place on
/// the same filesystem where new objects wait and old ones are kept.
enum class Area : std::uint8_t { kHost, kStore };

struct Place {
  Area area = Area::kHost;
  std::string path;  ///< bytes, relative, without leading slash; "" is the area itself
  bool operator==(const Place&) const = default;
};

/// An object as it is to be found: known by its inode number, unwritten if the rest is equal too.
/// Times in nanoseconds since the epoch.
struct Facts {
  std::uint64_t ino = 0;
  std::int64_t ctime_ns =
      0;  ///< 0: not compared; an object with several names gets a new one with each rename
  std::int64_t mtime_ns = 0;
  std::uint64_t size = 0;
  bool operator==(const Facts&) const = default;
};

/// What can be set of an object that stays where it is. In host ids.
struct Settings {
  std::uint32_t mode = 0;  ///< 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime_ns = 0;
  std::map<std::string, std::string> xattrs;  ///< raw; ACLs and capabilities included
  std::uint32_t flags = 0;                    ///< of FS_IOC_GETFLAGS those that promotion keeps (kKeptFlags)
  bool operator==(const Settings&) const = default;
};
Settings settings_of(const effects::Attributes& attributes);

/// False for what a filesystem shows twice: xfs lists ACLs under a second name of its own, and a copy-up
/// takes that along.
bool is_carried(std::string_view xattr);

/// Inode flags that mean something to a user and that a promotion carries over.
inline constexpr std::uint32_t kKeptFlags = 0x8 | 0x40 | 0x80;  // FS_SYNC_FL, FS_NODUMP_FL, FS_NOATIME_FL

enum class OperationKind : std::uint8_t {
  kMove,        ///< `from` -> `to`, where nothing is
  kExchange,    ///< the objects at `from` (in the store) and `to` (on the host) change places
  kAttributes,  ///< the object, at `from` before and at `to` after all renames, gets `after`; undone,
                ///< `before`
  kRewrite,     ///< the bytes of the file at `to` become those of `from`; undone, those of `saved`
};

/// A directory of the host in which operations work, as it was before the first of them: it is known again
/// wherever somebody moves it.
struct Directory {
  std::uint64_t ino = 0;
  std::optional<DirectoryHandle> handle;  ///< none where the filesystem gives none out
  std::uint32_t volume = 0;
  std::string path;               ///< below the mount, where it stood then
  std::optional<Sha256> listing;  ///< of what it held (restored.h); none of one in a store
  bool operator==(const Directory&) const = default;
};

struct Operation {
  static constexpr std::uint32_t kNotNoted = UINT32_MAX;
  OperationKind kind = OperationKind::kMove;
  std::uint32_t volume = 0;                           ///< index of the volume
  effects::FileType type = effects::FileType::kFile;  ///< kExchange: a directory if either object is one
  Place from;
  Place to;
  Place saved;      ///< kRewrite: a copy of the old bytes, in the store
  Facts object;     ///< at `from` before; kRewrite: at `to`
  Facts displaced;  ///< kExchange: at `to` before
  /// What these are like, where it is known for sure: an object that comes from the store is told by it from
  /// one that somebody has edited on the host in between.
  std::optional<ObjectPrint> print;
  std::optional<ObjectPrint> displaced_print;
  /// Of a directory that comes from the store: what it holds then (tree_print.h).
  std::optional<Sha256> tree;
  /// Of a directory of the host that goes to the store: what it held before, but for what earlier operations
  /// take from it.
  std::optional<Sha256> taken_tree;
  bool entries = false;    ///< a directory whose own entries earlier operations change: its times move
  bool time_only = false;  ///< kAttributes: nothing but the modification time is set
  std::optional<Settings> before;
  std::optional<Settings> after;  ///< kAttributes without it: only undoing sets anything
  /// Numbers of the directories that hold `from` and `to` on the host; of a directory that gets attributes,
  /// of itself there.
  std::uint32_t from_directory = kNotNoted;
  std::uint32_t to_directory = kNotNoted;
};

/// A place of the operation's volume as one word, to compare by.
std::string place_key(const Operation& operation, const Place& place);

}  // namespace rehearse::promote
