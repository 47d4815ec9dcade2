// Walks one layer in manifest order and names, for every path that may have changed, the two objects to
// compare.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "effects/change.h"
#include "effects/directory.h"
#include "effects/layer.h"
#include "effects/rename_index.h"

namespace rehearse::effects {

/// One path: its object before (in the lower), after (in the upper), or both.
struct Pair {
  std::string path;  ///< as the action saw it; of what is deleted, as the host has it
  std::string from;  ///< of a renamed object
  std::string host;  ///< of one that is neither deleted nor renamed: where the host has `before`, which is
                     ///< not `path` below a renamed directory
  struct Side {
    SharedFd directory;
    std::string name;
    std::optional<struct stat> st;  ///< none: a regular file by its directory's listing, not yet looked at
  };
  std::optional<Side> before;
  std::optional<Side> after;
  bool replaced = false;  ///< a directory that was removed and made again
  bool masked = false;
};

/// Calls `visit` for each pair, depth first, siblings in byte order; stops when it returns false. What cannot
/// be read goes to `trouble` as a line. Holds one descriptor pair and one listing a level.
class LayerWalk {
 public:
  LayerWalk(const Layer& layer, std::function<bool(Pair)> visit, std::function<void(std::string)> trouble);
  void run();
  [[nodiscard]] const RenameIndex& renames() const { return renames_; }

 private:
  enum class Mode { kMerged, kCreated, kDeleted, kReplaced };
  struct Frame {
    Mode mode = Mode::kMerged;
    SharedFd upper;
    SharedFd lower;
    std::string path;        ///< as the action saw it
    std::string upper_path;  ///< relative to the layer
    std::string lower_path;
    Listing names;
    std::size_t next = 0;
    /// Where many names are to be looked up in `lower`: its listing, instead of a stat for each.
    std::optional<Listing> lower_names;
  };

  bool open_frame(Frame frame);
  void visit_name(const Frame& frame, const Listed& entry);
  void visit_deleted(const Frame& frame, const std::string& name);
  void visit_directory(const Frame& frame, const std::string& name, const struct stat& st);
  void visit_object(const Frame& frame, Pair::Side side);
  void emit_deleted(const Frame& frame, Pair::Side side);
  /// Everything below lower directory `name` of `frame` is deleted.
  void delete_below(const Frame& frame, const std::string& name);
  [[nodiscard]] std::optional<Pair::Side> lower_side(const Frame& frame, const std::string& name) const;
  /// Lower object `name` of `frame` moved away, or is hidden.
  [[nodiscard]] bool is_elsewhere(const Frame& frame, const std::string& name) const;
  [[nodiscard]] bool is_hidden(const std::string& lower_path) const;
  [[nodiscard]] bool is_masked(const std::string& lower_path) const;
  /// `name` of `frame` as the host has it.
  [[nodiscard]] std::string host_path(const Frame& frame, const std::string& name) const;
  void emit(Pair pair);

  const Layer& layer_;
  std::function<bool(Pair)> visit_;
  std::function<void(std::string)> trouble_;
  RenameIndex renames_;
  std::vector<Frame> stack_;
  std::vector<Frame> pushed_;  ///< by the name being visited, in the order to be walked
  bool stopped_ = false;
};

}  // namespace rehearse::effects
