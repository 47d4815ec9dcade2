// The unit files below a root directory.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "units/unit_file.h"

namespace rehearse::units {

/// Looks where systemd 252 looks, in its order. Everything below the root is hostile: symlinks are followed
/// within the root only, files are read up to kMaxUnitFile and only if they are regular ones.
class UnitDirectory final : public UnitFileFinder {
 public:
  /// `root`: a descriptor of the directory that the clone sees as "/".
  explicit UnitDirectory(UniqueFd root) : root_(std::move(root)) {}

  std::optional<UnitFile> find(const std::string& name) override;
  bool has_process(std::uint32_t process) override;

 private:
  std::optional<UnitFile> find(const std::string& name, unsigned depth);
  std::optional<UnitFile> load(const std::string& name, const std::string& path, unsigned depth);
  std::optional<UnitFile> load_script(const std::string& name);
  void add_drop_ins(UnitFile& unit);
  void add_links(UnitFile& unit, const std::string& name);
  std::vector<std::string> entries(const std::string& directory);
  /// Settled once all its files have been read.
  void finish(UnitFile& unit);
  std::optional<std::string> read(const std::string& path, UnitFile& unit);

  UniqueFd root_;
  unsigned lookups_ = 0;  ///< left for the name that is looked for: links may lead in circles, many ways
};

}  // namespace rehearse::units
