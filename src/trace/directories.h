// Where the paths that calls name lead: working directories and roots of the threads as the kernel has them,
// and the other names that mounts gave to the kernel's own filesystems. Symbolic links in a path (but those
// of /proc to directories and descriptors of the caller) are taken for names: good for telling what a refused
// call was after, not for evidence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/path.h"
#include "trace/fd_table.h"
#include "trace/record.h"
#include "trace/shared_state.h"

namespace rehearse::trace {

class Directories {
 public:
  /// `fds` is borrowed: what paths that begin at a descriptor begin at.
  explicit Directories(const FdTable& fds) : fds_(fds) {}

  /// Takes a finished call of thread `tid`.
  void call(std::uint32_t tid, const Record& exit);
  /// `shares`: CLONE_FS.
  void fork(std::uint32_t maker, std::uint32_t child, bool shares) { places_.fork(maker, child, shares); }
  /// Takes an RH_EXEC record: thread `old_tid` is `tid` from now on.
  void exec(std::uint32_t old_tid, std::uint32_t tid, const Record& exec);
  void exit(std::uint32_t tid) { places_.erase(tid); }

  /// The working directory of `tid`, "" if it is not known.
  [[nodiscard]] std::string_view working(std::uint32_t tid) const;
  /// The absolute path that `path` is for `tid`, without "." and "..", starting at directory `at` (a
  /// descriptor or AT_FDCWD). As it is if that is not known.
  [[nodiscard]] std::string resolve(std::uint32_t tid, std::int32_t at, std::string_view path) const;
  /// The absolute path that `path` spells for `tid`: symlinks and ".." are kept. Nothing if it begins in a
  /// directory that is not known.
  [[nodiscard]] std::optional<std::string> spell(std::uint32_t tid, std::int32_t at,
                                                 std::string_view path) const;
  /// An absolute path, with the names that mounts gave to the kernel's filesystems undone.
  [[nodiscard]] std::string plain(std::string_view path) const;

 private:
  struct Place {
    std::string root = "/";
    std::string working;
  };
  struct Alias {
    std::string name;
    std::string stands_for;
  };
  Place& place(std::uint32_t tid);
  [[nodiscard]] std::string root(std::uint32_t tid) const;
  /// Past /proc/self/{cwd,root,fd/N}: true if `path` was changed.
  bool follow_own(std::uint32_t tid, std::string& path) const;
  void mounted(std::uint32_t tid, const Record& exit);
  void moved(std::uint32_t tid, const Record& record);
  [[nodiscard]] std::string base(std::uint32_t tid, std::int32_t at) const;

  const FdTable& fds_;
  SharedState<Place> places_;
  std::vector<Alias> aliases_;  ///< the newest last
};

}  // namespace rehearse::trace
