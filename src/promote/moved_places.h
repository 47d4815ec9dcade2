// Where something stands before any operation that an operation will meet at another place, since those
// before it move directories.
#pragma once

#include <cstdint>
#include <optional>

#include "base/path_moves.h"
#include "promote/operation.h"

namespace rehearse::promote {

class MovedPlaces {
 public:
  /// Files that move take nothing along: where only what lies in directories is asked for, these are enough.
  enum class Of : std::uint8_t { kDirectories, kAll };
  explicit MovedPlaces(Of of = Of::kDirectories) : of_(of) {}

  /// Of what is at `place` once the operations taken so far are done.
  [[nodiscard]] Place origin(std::uint32_t volume, const Place& place) const;
  /// With kAll: the same; nothing if they have taken away what was there, or a directory above it.
  [[nodiscard]] std::optional<Place> standing(std::uint32_t volume, const Place& place) const;
  /// The next one, in their order.
  void take(const Operation& operation);

 private:
  Of of_;
  PathMoves moves_;
};

}  // namespace rehearse::promote
