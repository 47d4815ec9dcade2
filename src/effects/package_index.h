// Which Debian package owns a path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::effects {

/// Built from the file lists of dpkg (/var/lib/dpkg/info/*.list), of the host and of what the run installed.
/// Paths are kept as 64-bit hashes: 12 bytes each, 4 MiB for a large host. The answer is a label for people,
/// not evidence.
class PackageIndex {
 public:
  /// Loads from the root layer's lower and upper. Missing databases make an empty index.
  static PackageIndex load(int lower, int upper);
  /// Name of the owning package, empty if none.
  [[nodiscard]] std::string_view owner(std::string_view path) const;

 private:
  struct Entry {
    std::uint64_t hash;
    std::uint32_t package;
    bool operator<(const Entry& other) const { return hash < other.hash; }
  };
  void load_database(int root);
  void add_list(int directory, const char* file, std::string_view package);

  bool merged_usr_ = false;  ///< /bin, /sbin and /lib* are symlinks into /usr
  std::vector<std::string> packages_;
  std::vector<Entry> entries_;
};

}  // namespace rehearse::effects
