// Opened directories of a walk, and their listings.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse::effects {

using SharedFd = std::shared_ptr<const UniqueFd>;

/// `name` in `parent`, opened for listing; never through a symlink.
Result<SharedFd> open_subdirectory(const UniqueFd& parent, const std::string& name);
/// A directory by its path below `root`, of any length, component by component safe.
Result<SharedFd> open_directory_beneath(int root, const std::string& path);
/// O_PATH of what stands at a path below `root`, of any length, itself and not where it leads to.
Result<UniqueFd> open_object_beneath(int root, const std::string& path);
/// lstat of a path below `root`, of any length.
Result<struct stat> stat_beneath(int root, const std::string& path);

struct Listed {
  std::string_view name;
  unsigned char type;  ///< DT_*
  std::uint64_t ino;
};

/// Entries of one directory, or of two merged, without "." and "..", in byte order. Owns the bytes of the
/// names.
class Listing {
 public:
  static Result<Listing> read(int directory);
  /// The listing of `directory` if that is the cheaper way to look up `lookups` of its names, and takes
  /// little memory; else, and where it cannot be listed, nothing.
  static std::optional<Listing> read_to_look_up(int directory, std::size_t lookups);

  /// Adds the entries of `other`; of two with the same name this listing's own stays.
  void merge(Listing other);
  /// Entry `name`, or nullptr.
  [[nodiscard]] const Listed* find(std::string_view name) const;

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const Listed& operator[](std::size_t i) const { return entries_[i]; }
  [[nodiscard]] auto begin() const { return entries_.begin(); }
  [[nodiscard]] auto end() const { return entries_.end(); }

 private:
  std::vector<std::unique_ptr<char[]>> names_;
  std::vector<Listed> entries_;
};

}  // namespace rehearse::effects
