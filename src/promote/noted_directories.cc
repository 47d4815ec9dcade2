#include "promote/noted_directories.h"

#include <fcntl.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/sys.h"
#include "promote/moved_places.h"
#include "promote/restored.h"

namespace rehearse::promote {
namespace {

using effects::FileType;

std::string key_of(std::uint32_t volume, Area area, std::string_view path) {
  std::string key = std::to_string(volume);
  key += area == Area::kHost ? 'h' : 's';
  key += path;
  return key;
}

class Noting {
 public:
  Noting(std::span<Volume* const> volumes, std::span<Operation> operations, std::int64_t looked_ns)
      : volumes_(volumes), operations_(operations), looked_ns_(looked_ns) {}

  Result<std::vector<Directory>> run() {
    for (Operation& operation : operations_) {
      operation.from_directory = operation.to_directory = Operation::kNotNoted;
      if (operation.kind == OperationKind::kAttributes) {
        RH_CHECK(note_old_settings(operation));
      } else {
        RH_CHECK(note_rename(operation));
      }
      moved_.take(operation);
    }
    for (Operation& operation : operations_) {
      if (operation.kind == OperationKind::kAttributes) RH_CHECK(note_new_settings(operation));
    }
    return std::move(directories_);
  }

 private:
  Result<void> note_rename(Operation& operation) {
    for (const bool from : {true, false}) {
      const Place& place = from ? operation.from : operation.to;
      if (place.area != Area::kHost || place.path.empty()) continue;
      const Place parent{Area::kHost, std::string(parent_of(place.path))};
      RH_TRY((from ? operation.from_directory : operation.to_directory),
             note(operation, place, moved_.origin(operation.volume, parent)));
    }
    return {};
  }

  /// From where it stands before all operations, if it is undone.
  Result<void> note_old_settings(Operation& operation) {
    if (!operation.before || operation.from.path.empty()) return {};
    return note_settings(operation, operation.from, directory_of(operation, operation.from),
                         operation.from_directory);
  }
  /// To where it stands after all of them.
  Result<void> note_new_settings(Operation& operation) {
    if (!operation.after || operation.to.path.empty()) return {};
    return note_settings(operation, operation.to,
                         moved_.origin(operation.volume, directory_of(operation, operation.to)),
                         operation.to_directory);
  }
  static Place directory_of(const Operation& operation, const Place& place) {
    if (operation.type == FileType::kDir) return place;
    return {place.area, std::string(parent_of(place.path))};
  }
  Result<void> note_settings(const Operation& operation, const Place& place, const Place& directory,
                             std::uint32_t& number) {
    // What only gets a time may be no directory; what is not there has nothing to be given back.
    const bool needed = operation.after && !operation.time_only;
    auto noted = note(operation, place, directory);
    if (noted)
      number = *noted;
    else if (needed || noted.error().exit != ExitCode::kStale)
      return tl::make_unexpected(std::move(noted).error());
    return {};
  }

  /// The directory that is at `now` on the host as it is; `place` is what will be looked for in it.
  Result<std::uint32_t> note(const Operation& operation, const Place& place, const Place& now) {
    const std::string key = key_of(operation.volume, now.area, now.path);
    if (const auto known = numbers_.find(key); known != numbers_.end()) return known->second;
    Volume& on = *volumes_[operation.volume];
    const auto opened =
        open_below(on.area(now.area), now.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME);
    if (!opened) {
      const int err = opened.error().err;
      if (leads_nowhere(err))
        return fail(on.shown(place) + " has lost the directory it was in: " + why_nowhere(err),
                    ExitCode::kStale, "rehearse again");
      return tl::make_unexpected(opened.error());
    }
    RH_TRY(const struct stat st, sys::stat_fd(opened->get()));
    const auto number = static_cast<std::uint32_t>(directories_.size());
    Directory directory{st.st_ino, handle_of(opened->get()), operation.volume, {}, {}};
    if (now.area == Area::kHost) {
      directory.path = now.path;
      RH_TRY(const Sha256 listing, print_listing(opened->get(), now.path.empty()));
      RH_TRY(const struct stat after, sys::stat_fd(opened->get()));
      if (to_ns(after.st_ctim) < looked_ns_) directory.listing = listing;
    }
    directories_.push_back(std::move(directory));
    numbers_.emplace(key, number);
    return number;
  }

  std::span<Volume* const> volumes_;
  std::span<Operation> operations_;
  std::int64_t looked_ns_;
  MovedPlaces moved_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<Directory> directories_;
};

}  // namespace

Result<std::vector<Directory>> note_directories(std::span<Volume* const> volumes,
                                                std::span<Operation> operations, std::int64_t looked_ns) {
  return Noting(volumes, operations, looked_ns).run();
}

}  // namespace rehearse::promote
