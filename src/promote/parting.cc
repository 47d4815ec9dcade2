#include "promote/parting.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>

#include "promote/volume.h"

namespace rehearse::promote {
namespace {

using effects::FileType;

class Parting {
 public:
  explicit Parting(const Journal& promotion) : promotion_(promotion) {}

  /// What it put there must not be left behind in a directory that goes.
  Result<void> check_contents(std::span<const std::size_t> taken,
                              std::span<const std::size_t> left_out) const {
    Directories leaving;
    for (const std::size_t i : taken) {
      const Operation& operation = at(i);
      const bool moves = operation.kind == OperationKind::kMove || operation.kind == OperationKind::kExchange;
      if (moves && operation.type == FileType::kDir && operation.to.area == Area::kHost)
        leaving.emplace(key(operation, operation.to.path), i);
    }
    for (const std::size_t i : left_out) {
      const Operation& operation = at(i);
      if (operation.time_only || operation.to.area != Area::kHost) continue;
      const auto directory = above(leaving, operation, operation.to.path);
      if (!directory || *directory >= i) continue;
      const Operation& goes = at(*directory);
      return fail(fmt::format("{} was changed in {}, which is to be taken back, and is left out itself",
                              shown(operation, operation.to.path), shown(goes, goes.to.path)),
                  ExitCode::kUsage, "select both or neither");
    }
    return {};
  }

  /// What it took from there goes back to where its directory is not.
  Result<void> check_homes(std::span<const std::size_t> taken, std::span<const std::size_t> left_out) const {
    Directories missing;
    for (const std::size_t i : left_out) {
      const Operation& operation = at(i);
      if (operation.type != FileType::kDir) continue;
      if (operation.kind == OperationKind::kMove && operation.from.area == Area::kHost)
        missing.emplace(key(operation, operation.from.path), i);
      if (operation.kind == OperationKind::kExchange) missing.emplace(key(operation, operation.to.path), i);
    }
    for (const std::size_t i : taken) {
      const Operation& operation = at(i);
      if (operation.kind != OperationKind::kMove || operation.from.area != Area::kHost) continue;
      const auto directory = above(missing, operation, operation.from.path);
      if (!directory || *directory <= i) continue;
      const Operation& home = at(*directory);
      const Place& place = home.kind == OperationKind::kExchange ? home.to : home.from;
      return fail(fmt::format("{} would go back into {}, which is left out",
                              shown(operation, operation.from.path), shown(home, place.path)),
                  ExitCode::kUsage, "select both or neither");
    }
    return {};
  }

 private:
  /// By place, the number of the operation.
  using Directories = std::unordered_map<std::string, std::size_t>;

  const Operation& at(std::size_t number) const { return promotion_.operations[number]; }
  std::string shown(const Operation& operation, const std::string& path) const {
    return promotion_.volumes[operation.volume].shown(path);
  }
  static std::string key(const Operation& operation, std::string_view path) {
    return fmt::format("{}:{}", operation.volume, path);
  }

  /// The nearest of the directories that the path lies in.
  static std::optional<std::size_t> above(const Directories& directories, const Operation& operation,
                                          std::string_view path) {
    while (!directories.empty() && !path.empty()) {
      path = parent_of(path);
      if (const auto found = directories.find(key(operation, path)); found != directories.end())
        return found->second;
    }
    return std::nullopt;
  }

  const Journal& promotion_;
};

}  // namespace

Result<void> check_parting(const Journal& promotion, std::span<const std::size_t> taken,
                           std::span<const std::size_t> left_out) {
  if (left_out.empty()) return {};
  const Parting parting(promotion);
  RH_CHECK(parting.check_contents(taken, left_out));
  return parting.check_homes(taken, left_out);
}

}  // namespace rehearse::promote
