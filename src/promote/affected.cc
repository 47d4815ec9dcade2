#include "promote/affected.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/clock.h"
#include "effects/manifest.h"
#include "host/listeners.h"
#include "host/logins.h"
#include "host/open_files.h"
#include "report/change_text.h"
#include "units/unit_name.h"

namespace rehearse::promote {
namespace {

constexpr std::size_t kMostPaths = 500'000;
constexpr std::size_t kMostReasons = 100;  ///< of one; the rest is counted
constexpr std::size_t kMostSockets = 20;

struct Object {
  dev_t dev = 0;
  ino_t ino = 0;
  friend bool operator==(const Object&, const Object&) = default;
};
struct Hash {
  std::size_t operator()(const Object& object) const { return object.ino * 0x9e3779b97f4a7c15U ^ object.dev; }
};

const char* word_of(host::Holder::Use use) {
  switch (use) {
    case host::Holder::Use::kRead:
      return "reads";
    case host::Holder::Use::kWrite:
      return "writes";
    case host::Holder::Use::kExecute:
      return "executes";
    case host::Holder::Use::kMap:
      return "maps";
  }
  return "";
}

/// By unit, or by the names of processes where there is none.
class Gathered {
 public:
  report::AffectedOne& of_unit(const std::string& unit) {
    report::AffectedOne& one = by_name_["u" + unit];
    one.unit = unit;
    return one;
  }
  report::AffectedOne& of(const host::Holder& holder) {
    if (!holder.unit.empty()) return of_unit(holder.unit);
    return by_name_["p" + holder.comm];
  }
  static void add(report::AffectedOne& one, std::string reason) {
    if (std::ranges::find(one.reasons, reason) != one.reasons.end()) return;
    ++one.reasons_total;
    if (one.reasons.size() < kMostReasons) one.reasons.push_back(std::move(reason));
  }
  std::map<std::string, report::AffectedOne>& all() { return by_name_; }

 private:
  std::map<std::string, report::AffectedOne> by_name_;
};

void ask_for_units(const report::RunRecord& record, Gathered& gathered) {
  for (const report::UnitRecord& asked : record.units) {
    if (!asked.changes() || asked.unit.empty()) continue;
    Gathered::add(gathered.of_unit(asked.unit), "asked to " + asked.request);
    // "stop app.service": what it means for others.
    for (const std::string& line : asked.also) {
      const std::size_t space = line.find(' ');
      if (space != std::string::npos)
        Gathered::add(gathered.of_unit(line.substr(space + 1)),
                      line.substr(0, space) + " with " + asked.unit);
    }
  }
}

void add_sockets(Gathered& gathered) {
  const auto listeners = host::Listeners::read();
  if (!listeners) return;
  for (auto& [name, one] : gathered.all()) {
    for (const report::AffectedProcess& process : one.processes) {
      for (std::string& socket : listeners->of(static_cast<std::uint32_t>(process.pid))) {
        if (one.listens.size() < kMostSockets && std::ranges::find(one.listens, socket) == one.listens.end())
          one.listens.push_back(std::move(socket));
      }
    }
  }
}

}  // namespace

std::string unit_of_file(std::string_view path) {
  const auto take_last = [&path] {
    const std::size_t slash = path.rfind('/');
    const std::string_view name = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
    path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
    return name;
  };
  std::string_view name = take_last();
  if (name.ends_with(".conf") && path.ends_with(".d")) {
    name = take_last();
    name.remove_suffix(2);
  }
  const bool place = path == "/etc/systemd/system" || path == "/run/systemd/system" ||
                     path == "/usr/lib/systemd/system" || path == "/lib/systemd/system" ||
                     path == "/usr/local/lib/systemd/system";
  return place && units::is_unit_name(name) ? std::string(name) : std::string();
}

Result<report::Affected> find_affected(const report::RunRecord& record, int manifest_fd) {
  report::Affected affected;
  affected.at_ns = realtime_ns();
  std::unordered_map<Object, std::string, Hash> changed;
  Gathered gathered;
  RH_CHECK(effects::read_manifest(manifest_fd, [&](const effects::Change& change) {
    if (change.kind == effects::ChangeKind::kIdentical || report::is_noise(change)) return true;
    if (const std::string unit = unit_of_file(change.path); !unit.empty())
      Gathered::add(gathered.of_unit(unit), "its unit file changes: " + change.path);
    if (!change.before || change.type == effects::FileType::kDir) return true;
    affected.cut = affected.cut || changed.size() >= kMostPaths;
    if (!affected.cut)
      changed.emplace(Object{change.before->dev, change.before->ino},
                      change.from.empty() ? change.path : change.from);
    return true;
  }));
  ask_for_units(record, gathered);
  if (!changed.empty()) {
    const auto holders = host::find_holders([&](dev_t dev, ino_t ino) {
      return changed.contains(Object{dev, ino});
    });
    for (const host::Holder& holder : holders) {
      report::AffectedOne& one = gathered.of(holder);
      if (std::ranges::find(one.processes, holder.pid, &report::AffectedProcess::pid) == one.processes.end())
        one.processes.push_back({holder.pid, holder.comm});
      Gathered::add(one, std::string(word_of(holder.use)) + ' ' + changed.at({holder.dev, holder.ino}));
    }
    if (!holders.empty()) add_sockets(gathered);
  }
  for (auto& [name, one] : gathered.all()) affected.who.push_back(std::move(one));
  for (const host::Login& login : host::read_logins())
    affected.logins.push_back({login.user, login.line, login.from, login.since_s * 1'000'000'000});
  return affected;
}

}  // namespace rehearse::promote
