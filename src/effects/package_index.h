// Which Debian package owns a path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace rehearse::effects {

/// Built from the file lists of dpkg (/var/lib/dpkg/info/*.list), of the host and of what the run installed.
/// Paths are kept as 64-bit hashes in an open table, 16 bytes a slot: 4 MiB for 130,000 paths. The answer is
/// a label for people, not evidence.
class PackageIndex {
 public:
  /// Loads from the root layer's lower and upper. Missing databases make an empty index. `cache` (optional)
  /// is a directory of root's own where the lower's part is kept between runs: reading a thousand lists costs
  /// tens of milliseconds. It is taken while the directory of lists is the same and unchanged.
  static PackageIndex load(int lower, int upper, int cache = -1);
  /// Name of the owning package, empty if none, and for a directory that several have.
  [[nodiscard]] std::string_view owner(std::string_view path);
  /// As owner(), and kSeveralPackages for such a directory.
  [[nodiscard]] std::string_view owners(std::string_view path);
  static constexpr std::string_view kSeveralPackages = "several packages";

 private:
  static constexpr std::uint32_t kSeveral = UINT32_MAX;  ///< directories are in many lists: nobody owns them
  struct Slot {
    std::uint64_t hash = 0;  ///< 0: free
    std::uint32_t package = 0;
    std::uint32_t padding = 0;
  };
  struct Head;
  [[nodiscard]] bool open_cache(int cache, const Head& wanted);
  [[nodiscard]] std::string_view cached_owner(std::uint64_t hash);
  [[nodiscard]] std::vector<Slot> cached_slots(std::uint64_t from, std::uint64_t count) const;
  void write_cache(int cache, const Head& head) const;
  void load_database(int root);
  void add_list(int directory, const char* file, std::string_view package);
  void add_path(std::uint64_t hash, std::uint32_t package);
  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const;
  void grow();

  bool merged_usr_ = false;  ///< /bin, /sbin and /lib* are symlinks into /usr
  std::vector<std::string> packages_;
  std::vector<Slot> slots_;  ///< a power of two, at most half of them used
  std::size_t used_ = 0;

  UniqueFd cache_;  ///< if valid: the lower's part is here, and the table above is the upper's alone
  std::uint64_t cache_size_ = 0;   ///< in slots
  std::vector<Slot> cache_slots_;  ///< all of them, once many paths were asked for
  std::vector<std::string> cache_packages_;
  std::uint64_t asked_ = 0;
};

}  // namespace rehearse::effects
