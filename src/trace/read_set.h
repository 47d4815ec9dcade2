// Which files of the host the action's result rests on: what it opened or executed and what they were when it
// did so first.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "trace/process_tree.h"
#include "trace/record.h"

namespace rehearse::trace {

class ReadSet {
 public:
  /// `tree` has taken the record already.
  void add(const Record& record, const ProcessTree& tree);

  struct File {
    std::string path;  ///< by which it was first opened
    struct rh_file seen = {};
  };
  /// By device and inode. Objects that the action made itself (in an upper) are not the host's, and not here.
  [[nodiscard]] const std::map<std::pair<std::uint32_t, std::uint64_t>, File>& files() const {
    return files_;
  }
  /// Of the paths, inodes, generations and change times, in that order.
  [[nodiscard]] Sha256 root() const;
  /// Paths of secrets that were opened, in order.
  [[nodiscard]] std::vector<std::string> secrets() const;
  /// There were more than can be kept.
  [[nodiscard]] bool cut() const { return cut_; }

 private:
  std::map<std::pair<std::uint32_t, std::uint64_t>, File> files_;
  bool cut_ = false;
};

}  // namespace rehearse::trace
