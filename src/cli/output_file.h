// A file that a verb writes for the user: whole under its name, or not there at all.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse::cli {

/// Written under a temporary name beside the wanted one (0600) and renamed at the end; removed if `keep` was
/// not called. No symlink is followed at the last part of the name, and nothing but a regular file is ever
/// replaced.
class OutputFile {
 public:
  enum class Existing { kRefuse, kReplace };
  static Result<OutputFile> create(const std::string& path, Existing existing);
  OutputFile(OutputFile&&) = default;
  OutputFile& operator=(OutputFile&&) = delete;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  [[nodiscard]] int fd() const { return file_.get(); }
  /// The name it has until `keep`.
  [[nodiscard]] std::string temporary_path() const;
  Result<void> keep();

 private:
  OutputFile(std::string path, Existing existing) : path_(std::move(path)), existing_(existing) {}
  [[nodiscard]] Result<void> check_existing() const;

  std::string path_;
  Existing existing_;
  std::string directory_;
  std::string name_;
  std::string temporary_;  ///< within the directory
  UniqueFd dir_;
  UniqueFd file_;
};

}  // namespace rehearse::cli
