// Which Debian package owns a path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::effects {

/// Built from the file lists of dpkg (/var/lib/dpkg/info/*.list), of the host and of what the run installed.
/// Paths are kept as 64-bit hashes in an open table, 16 bytes a slot: 4 MiB for 130,000 paths. The answer is
/// a label for people, not evidence.
class PackageIndex {
 public:
  /// Loads from the root layer's lower and upper. Missing databases make an empty index.
  static PackageIndex load(int lower, int upper);
  /// Name of the owning package, empty if none.
  [[nodiscard]] std::string_view owner(std::string_view path) const;

 private:
  static constexpr std::uint32_t kSeveral = UINT32_MAX;  ///< directories are in many lists: nobody owns them
  struct Slot {
    std::uint64_t hash = 0;  ///< 0: free
    std::uint32_t package = 0;
  };
  void load_database(int root);
  void add_list(int directory, const char* file, std::string_view package);
  void add_path(std::uint64_t hash, std::uint32_t package);
  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const;
  void grow();

  bool merged_usr_ = false;  ///< /bin, /sbin and /lib* are symlinks into /usr
  std::vector<std::string> packages_;
  std::vector<Slot> slots_;  ///< a power of two, at most half of them used
  std::size_t used_ = 0;
};

}  // namespace rehearse::effects
