#include "promote/noted_directories.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/sys.h"

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
  Noting(std::span<Volume* const> volumes, std::span<Operation> operations)
      : volumes_(volumes), operations_(operations) {}

  Result<std::vector<Directory>> run() {
    find_arrivals();
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      Operation& operation = operations_[i];
      operation.from_directory = operation.to_directory = Operation::kNotNoted;
      RH_CHECK(operation.kind == OperationKind::kAttributes ? note_settings(operation) : note_rename(i));
    }
    return std::move(directories_);
  }

 private:
  /// Where directories come to, and by which operations, in order.
  void find_arrivals() {
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      const Operation& operation = operations_[i];
      const bool exchange = operation.kind == OperationKind::kExchange;
      if (operation.type != FileType::kDir || (operation.kind != OperationKind::kMove && !exchange)) continue;
      arrivals_[key_of(operation.volume, operation.to.area, operation.to.path)].push_back(i);
      if (exchange)
        arrivals_[key_of(operation.volume, operation.from.area, operation.from.path)].push_back(i);
    }
  }

  /// Where what is at `place` before operation `i` stands before the first of all.
  Place origin_of(std::uint32_t volume, Place place, std::size_t i) const {
    while (!arrivals_.empty()) {
      std::optional<std::size_t> last;
      std::size_t head = 0;
      for (std::string_view at = place.path; !at.empty(); at = parent_of(at)) {
        const auto found = arrivals_.find(key_of(volume, place.area, at));
        if (found == arrivals_.end()) continue;
        const auto after = std::lower_bound(found->second.begin(), found->second.end(), i);
        if (after == found->second.begin() || (last && *std::prev(after) < *last)) continue;
        last = *std::prev(after);
        head = at.size();
      }
      if (!last) break;
      const Operation& mover = operations_[*last];
      const bool forward = mover.to.area == place.area && mover.to.path == place.path.substr(0, head);
      const Place& source = forward ? mover.from : mover.to;
      place = {source.area, source.path + place.path.substr(head)};
      i = *last;
    }
    return place;
  }

  Result<void> note_rename(std::size_t i) {
    Operation& operation = operations_[i];
    for (const bool from : {true, false}) {
      const Place& place = from ? operation.from : operation.to;
      if (place.area != Area::kHost || place.path.empty()) continue;
      RH_TRY((from ? operation.from_directory : operation.to_directory),
             note(operation, place, {Area::kHost, std::string(parent_of(place.path))}, i));
    }
    return {};
  }

  /// From before all other operations, if it is undone; to after all of them.
  Result<void> note_settings(Operation& operation) {
    const bool itself = operation.type == FileType::kDir;
    const auto directory_of = [&](const Place& place) {
      return itself ? place : Place{place.area, std::string(parent_of(place.path))};
    };
    const auto note_end = [&](const Place& place, std::size_t i, bool needed,
                              std::uint32_t& number) -> Result<void> {
      if (place.path.empty()) return {};
      auto noted = note(operation, place, directory_of(place), i);
      if (noted) {
        number = *noted;
      } else if (needed || noted.error().exit != ExitCode::kStale) {
        return tl::make_unexpected(std::move(noted).error());
      }
      return {};
    };
    // What only gets a time may be no directory; what is not there has nothing to be given back.
    const bool needed = operation.after && !operation.time_only;
    if (operation.after) RH_CHECK(note_end(operation.to, operations_.size(), needed, operation.to_directory));
    if (operation.before) RH_CHECK(note_end(operation.from, 0, needed, operation.from_directory));
    return {};
  }

  /// `directory`, as it will be called before operation `i`; `place` is what is looked for there.
  Result<std::uint32_t> note(const Operation& operation, const Place& place, const Place& directory,
                             std::size_t i) {
    const Place now = origin_of(operation.volume, directory, i);
    const std::string key = key_of(operation.volume, now.area, now.path);
    if (const auto known = numbers_.find(key); known != numbers_.end()) return known->second;
    Volume& on = *volumes_[operation.volume];
    const auto opened = open_below(on.area(now.area), now.path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!opened) {
      const int err = opened.error().err;
      if (err == ENOENT || err == ENOTDIR || err == ELOOP || err == EXDEV)
        return fail(on.shown(place) + " has lost the directory it was in (" + opened.error().what + ")",
                    ExitCode::kStale, "rehearse again");
      return tl::make_unexpected(opened.error());
    }
    RH_TRY(const struct stat st, sys::stat_fd(opened->get()));
    const auto number = static_cast<std::uint32_t>(directories_.size());
    directories_.push_back({st.st_ino, handle_of(opened->get())});
    numbers_.emplace(key, number);
    return number;
  }

  std::span<Volume* const> volumes_;
  std::span<Operation> operations_;
  std::unordered_map<std::string, std::vector<std::size_t>> arrivals_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<Directory> directories_;
};

}  // namespace

Result<std::vector<Directory>> note_directories(std::span<Volume* const> volumes,
                                                std::span<Operation> operations) {
  return Noting(volumes, operations).run();
}

}  // namespace rehearse::promote
