// Which paths of the host the action's result rests on: what it opened, executed, listed, looked at or looked
// for in vain, and what each was when it did so first. Collected while the run lasts; src/rehearsal compares
// it with the host when the run has ended (read_settlement.h there).
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "effects/read_list.h"
#include "trace/event_stream.h"
#include "trace/host_paths.h"

namespace rehearse::trace {

class ReadSet {
 public:
  /// `apart`: mount points inside that do not show the host's files; what lies there is no read. `paths` is
  /// borrowed, and takes each event before this does.
  ReadSet(std::vector<std::string> apart, const HostPaths& paths) : apart_(std::move(apart)), paths_(paths) {}

  /// Takes the next event of `events`.
  void add(const TraceEvent& event, const EventStream& events);

  /// All that was read, sorted by path; the set is empty then. An entry that is present and has no identity
  /// was not to be known here: an overlay's directory that the action changes too, or an access(2) that tells
  /// nothing.
  [[nodiscard]] std::vector<effects::HostRead> take();

  /// Names that led, or may have led, through symlinks to what was opened, executed or changed: as they were
  /// spelled, on the host. Empty then.
  [[nodiscard]] std::unordered_set<std::string> take_followed() { return std::exchange(followed_, {}); }

  /// There were more than can be kept.
  [[nodiscard]] bool cut() const { return cut_; }
  /// Secret files (is_secret) that were opened to be read, also those that the action had opened for writing.
  [[nodiscard]] const std::set<std::string>& secrets() const { return secrets_; }
  /// Of each of them by each program the first opening; of very many, those of the further programs as if by
  /// one that is not known.
  struct Opening {
    std::uint32_t process = 0;  ///< id
    std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC
  };
  using Openings = std::map<std::pair<std::string, std::string>, Opening>;  ///< by path and executed file
  [[nodiscard]] const Openings& openings() const { return openings_; }
  /// Lookups relative to a directory that is not known.
  [[nodiscard]] std::uint64_t unplaced() const { return unplaced_; }

 private:
  void named(const TraceEvent& event, const EventStream& events);
  void follow(const TraceEvent& event, const EventStream& events, std::string_view reached);
  void follow_to_change(const TraceEvent& event, const EventStream& events);
  void note_followed(const std::string& path);
  [[nodiscard]] bool is_apart(std::string_view path) const;
  void secret(const std::string& path, const TraceEvent& event);
  void object(const std::string& path, const struct rh_file& file, std::uint8_t use);
  effects::HostRead* entry(const std::string& met_at, std::uint8_t use);

  std::vector<std::string> apart_;
  const HostPaths& paths_;               ///< what the action meets under a new name has another on the host
  std::deque<effects::HostRead> reads_;  ///< in the order of their first use
  /// Most calls with a path look here, and find nothing: that takes one look into memory.
  tsl::robin_map<std::string_view, effects::HostRead*, std::hash<std::string_view>, std::equal_to<>,
                 std::allocator<std::pair<std::string_view, effects::HostRead*>>, true>
      by_path_;
  std::unordered_set<std::string> followed_;
  std::set<std::string> secrets_;
  Openings openings_;
  std::uint64_t unplaced_ = 0;
  bool cut_ = false;
};

/// Files that are not masked, since programs need them; who reads them is said.
bool is_secret(std::string_view path);
/// Those of them that have one path on every host.
std::span<const std::string_view> secret_files();

}  // namespace rehearse::trace
