// Where programs of the action have their standard output read by others of the action: a listing that shows
// the run and not this host is then what these may decide by. Programs that only hand on all or part of what
// they read, whatever it says (head, sort), decide nothing; whoever reads from them may.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "trace/event_stream.h"

namespace rehearse::trace {

class ListingReaders {
 public:
  /// A pipe or file that somebody's standard output goes to; kNowhere: to nothing that is known, like the
  /// output of the action itself.
  using Output = std::uint32_t;
  static constexpr Output kNowhere = 0;

  /// Where the caller of `event` has its standard output, which is watched from now on.
  Output output_of(const TraceEvent& event, const EventStream& events);

  /// Takes the next event of `events`.
  void add(const TraceEvent& event, const EventStream& events);

  /// The name of a program that has read from there, itself or from who hands it on, and may act on it; "" if
  /// there is none.
  [[nodiscard]] std::string reader_of(Output output) const;

 private:
  struct Watched {
    std::shared_ptr<const FdInfo> held;  ///< so that nothing else gets its address
    std::string reader;                  ///< who may act on it
    std::set<Output> handed_on;
  };
  /// Device, inode and, since numbers are used again, generation.
  using Inode = std::tuple<std::uint32_t, std::uint64_t, std::uint32_t>;

  static std::optional<Inode> inode_of(const FdInfo& info);
  [[nodiscard]] Output find(const FdInfo& info) const;
  Output watch(const std::shared_ptr<const FdInfo>& info);

  std::vector<Watched> outputs_;  ///< number n is at n-1
  std::unordered_map<const FdInfo*, Output> by_descriptor_;
  std::map<Inode, Output> by_inode_;
  std::size_t links_ = 0;
  bool cut_ = false;  ///< there were more than are kept: somebody may have read them
};

}  // namespace rehearse::trace
