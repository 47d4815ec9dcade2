#include "promote/moved_places.h"

#include <algorithm>
#include <string>

namespace rehearse::promote {
namespace {

/// "0h/etc/hosts"; an area itself is "0h".
std::string key_of(std::uint32_t volume, const Place& place) {
  std::string key = std::to_string(volume);
  key += place.area == Area::kHost ? 'h' : 's';
  if (!place.path.empty()) (key += '/') += place.path;
  return key;
}

/// Where what was taken away lay; no key begins so.
constexpr const char* kNowhere = "nowhere";

Place place_of(const std::string& key) {
  const std::size_t area = key.find_first_of("hs");
  return {key[area] == 'h' ? Area::kHost : Area::kStore, key.substr(std::min(area + 2, key.size()))};
}

}  // namespace

Place MovedPlaces::origin(std::uint32_t volume, const Place& place) const {
  return place_of(moves_.origin(key_of(volume, place)));
}

std::optional<Place> MovedPlaces::standing(std::uint32_t volume, const Place& place) const {
  const std::string key = moves_.origin(key_of(volume, place));
  if (key.starts_with(kNowhere)) return std::nullopt;
  return place_of(key);
}

void MovedPlaces::take(const Operation& operation) {
  if (of_ == Of::kDirectories && operation.type != effects::FileType::kDir) return;
  const std::string from = key_of(operation.volume, operation.from);
  const std::string to = key_of(operation.volume, operation.to);
  if (operation.kind == OperationKind::kMove) {
    moves_.move(from, to);
    if (of_ == Of::kAll) moves_.link(kNowhere, from);
  }
  if (operation.kind == OperationKind::kExchange) moves_.exchange(from, to);
}

}  // namespace rehearse::promote
