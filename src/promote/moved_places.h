// Where something stands before any operation that an operation will meet at another place, since those
// before it move directories.
#pragma once

#include <cstdint>

#include "base/path_moves.h"
#include "promote/operation.h"

namespace rehearse::promote {

class MovedPlaces {
 public:
  /// Of what is at `place` once the operations taken so far are done.
  [[nodiscard]] Place origin(std::uint32_t volume, const Place& place) const;
  /// The next one, in their order.
  void take(const Operation& operation);

 private:
  PathMoves moves_;
};

}  // namespace rehearse::promote
