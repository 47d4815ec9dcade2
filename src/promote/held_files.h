// Who would go on with the old file when an operation takes it away or puts another in its place. Asked of
// every file that goes, also of those below a directory that goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// What to do about files that are to be replaced and that somebody has open for writing.
enum class HeldOpen : std::uint8_t {
  kRefuse,
  kReplace,  ///< who has it open keeps the old file
  kInPlace,  ///< the new bytes are written into the old file, not atomically
};

/// An object of the host that an operation takes from its place, with all that is below it now.
struct Going {
  static constexpr std::size_t kNotInPlace = SIZE_MAX;
  std::size_t volume = 0;
  std::string path;                   ///< relative to the volume's root
  std::size_t rewrite = kNotInPlace;  ///< record whose bytes can be written into the old file instead
};

struct HeldQuestion {
  std::span<Volume* const> volumes;
  std::span<const Going> going;
  /// Volume and path of what operations take out by itself before what it lies in goes.
  const std::set<std::pair<std::size_t, std::string>>* apart = nullptr;
  HeldOpen how = HeldOpen::kRefuse;
  const char* fix = "";  ///< what may be done about a refusal, beside stopping the writer
};

struct HeldAnswer {
  std::vector<std::string> notes;     ///< raw text, a line each: who keeps what
  std::vector<std::size_t> in_place;  ///< records to be rewritten in place
};

/// kTryLater names the first file that somebody writes to, and who that is where it can be told.
Result<HeldAnswer> ask_who_holds(const HeldQuestion& question);

}  // namespace rehearse::promote
