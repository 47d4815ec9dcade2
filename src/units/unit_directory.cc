#include "units/unit_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "base/clock.h"
#include "base/sys.h"
#include "units/sysv_script.h"
#include "units/unit_name.h"

namespace rehearse::units {
namespace {

/// lookup_paths_init() of systemd 252 for the system manager.
constexpr std::array<std::string_view, 13> kDirectories = {
    "etc/systemd/system.control",   "run/systemd/system.control",  "run/systemd/transient",
    "run/systemd/generator.early",  "etc/systemd/system",          "etc/systemd/system.attached",
    "run/systemd/system",           "run/systemd/system.attached", "run/systemd/generator",
    "usr/local/lib/systemd/system", "lib/systemd/system",          "usr/lib/systemd/system",
    "run/systemd/generator.late"};
/// Aliases of aliases.
constexpr unsigned kMaxAliases = 8;
/// Of files, for one name: an alias of an alias of an instance takes a hundred at most.
constexpr unsigned kMaxLookups = 512;
constexpr std::size_t kMaxDropIns = 64;
constexpr std::size_t kMaxEntries = 1024;
constexpr std::size_t kMaxLinks = 256;
constexpr unsigned kMaxPrefixes = 4;

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

/// Name of the unit that `name` stands for, where its file links to one called `target`.
std::string alias_target(const std::string& name, std::string_view target) {
  if (!is_unit_name(target) || unit_type(target) != unit_type(name)) return name;
  if (!is_template(target) || is_template(name)) return std::string(target);
  return fmt::format("{}@{}.{}", prefix_of(target), instance_of(name), unit_type(name));
}

}  // namespace

std::optional<UnitFile> UnitDirectory::find(const std::string& name) {
  lookups_ = kMaxLookups;
  return find(name, 0);
}

std::optional<UnitFile> UnitDirectory::find(const std::string& name, unsigned depth) {
  for (const std::string& file : {name, template_of(name)}) {
    if (file.empty()) continue;
    for (const std::string_view directory : kDirectories) {
      if (lookups_ == 0) return std::nullopt;
      --lookups_;
      if (auto unit = load(name, fmt::format("{}/{}", directory, file), depth)) return unit;
    }
  }
  return load_script(name);
}

/// What systemd-sysv-generator makes of an executable init script without a unit file.
std::optional<UnitFile> UnitDirectory::load_script(const std::string& name) {
  if (unit_type(name) != "service" || name.find('@') != std::string::npos) return std::nullopt;
  const std::string stem(prefix_of(name));
  for (const std::string& path : {"etc/init.d/" + stem, "etc/init.d/" + stem + ".sh"}) {
    UnitFile unit;
    unit.id = name;
    unit.source_path = "/" + path;
    unit.path = fmt::format("/run/systemd/generator.late/{}", name);
    const auto script = sys::open_at2(root_.get(), path.c_str(), O_PATH, 0, RESOLVE_IN_ROOT);
    const auto state =
        script ? sys::stat_fd(script->get()) : Result<struct stat>(tl::make_unexpected(script.error()));
    if (!state || !S_ISREG(state->st_mode) || (state->st_mode & S_IXUSR) == 0) continue;
    const auto text = read(path, unit);
    if (!text) continue;
    apply_unit_file(unit, sysv_unit_text(unit.source_path, *text));
    finish(unit);
    return unit;
  }
  return std::nullopt;
}

std::optional<UnitFile> UnitDirectory::load(const std::string& name, const std::string& path,
                                            unsigned depth) {
  auto link = sys::open_at2(root_.get(), path.c_str(), O_PATH | O_NOFOLLOW, 0, RESOLVE_IN_ROOT);
  if (!link) return std::nullopt;
  const auto state = sys::stat_fd(link->get());
  if (!state) return std::nullopt;
  UnitFile unit;
  unit.id = name;
  unit.path = "/" + path;
  unit.changed_ns = to_ns(state->st_ctim);
  if (S_ISLNK(state->st_mode)) {
    const auto target = sys::read_link_at(link->get(), "");
    if (!target) return std::nullopt;
    if (*target == "/dev/null") {
      unit.masked = true;
      return unit;
    }
    // An instance's file may be called as its template.
    const std::string own(base_name(path));
    if (base_name(*target) != own) {
      const std::string alias = alias_target(name, base_name(*target));
      if (alias != name) return depth < kMaxAliases ? find(alias, depth + 1) : std::nullopt;
    }
  }
  const auto text = read(path, unit);
  if (!text) return std::nullopt;
  unit.masked = text->empty();
  apply_unit_file(unit, *text);
  finish(unit);
  return unit;
}

std::optional<std::string> UnitDirectory::read(const std::string& path, UnitFile& unit) {
  // A fifo opens at once, a device not at all (no layer has any): neither is a regular file. Not by way of
  // /proc/self/fd, which is not this process's where the root is the clone's.
  auto file = sys::open_at2(root_.get(), path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
                            RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  if (!file) return std::nullopt;
  const auto state = sys::stat_fd(file->get());
  if (!state || !S_ISREG(state->st_mode)) return std::nullopt;
  auto text = sys::read_all(file->get(), kMaxUnitFile);
  if (!text) return std::nullopt;
  unit.changed_ns = std::max(unit.changed_ns, to_ns(state->st_ctim));
  return std::move(*text);
}

bool UnitDirectory::has_process(std::uint32_t process) {
  const std::string path = fmt::format("proc/{}", process);
  return sys::open_at2(root_.get(), path.c_str(), O_PATH, 0, RESOLVE_IN_ROOT).has_value();
}

void UnitDirectory::finish(UnitFile& unit) {
  add_drop_ins(unit);
  add_links(unit, unit.id);
  if (const std::string origin = template_of(unit.id); !origin.empty()) add_links(unit, origin);
  if (unit.masked) return;
  unit.bad_setting = has_bad_setting(unit);
  add_default_dependencies(unit);
}

/// Names within a directory of the clone; none if it is not there.
std::vector<std::string> UnitDirectory::entries(const std::string& directory) {
  std::vector<std::string> names;
  auto opened = sys::open_at2(root_.get(), directory.c_str(), O_RDONLY | O_DIRECTORY, 0, RESOLVE_IN_ROOT);
  if (!opened) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(opened->get()), ::closedir);
  if (!stream) return names;
  (void)opened->release();  // the stream's now
  const struct dirent* entry = nullptr;
  for (std::size_t n = 0; n < kMaxEntries && (entry = ::readdir(stream.get())) != nullptr; ++n)
    names.emplace_back(static_cast<const char*>(entry->d_name));
  return names;
}

void UnitDirectory::add_links(UnitFile& unit, const std::string& name) {
  for (const auto& [kind, names] :
       {std::pair{"wants", &unit.linked_wants}, std::pair{"requires", &unit.linked_requires}}) {
    for (const std::string_view directory : kDirectories) {
      for (std::string& entry : entries(fmt::format("{}/{}.{}", directory, name, kind))) {
        // "getty@.service" in the directory of an instance is that instance's.
        if (is_template(entry) && !instance_of(unit.id).empty())
          entry = fmt::format("{}@{}.{}", prefix_of(entry), instance_of(unit.id), unit_type(entry));
        const bool known = std::find(names->begin(), names->end(), entry) != names->end();
        if (is_unit_name(entry) && !is_template(entry) && !known && names->size() < kMaxLinks)
          names->push_back(std::move(entry));
      }
    }
    // readdir(3) has an order of its own.
    std::sort(names->begin(), names->end());
  }
}

void UnitDirectory::add_drop_ins(UnitFile& unit) {
  // Of the name itself, of what it begins with ("foo-.service"), of its template, of all of its type.
  std::vector<std::string> names = {unit.id};
  if (const std::string origin = template_of(unit.id); !origin.empty()) names.push_back(origin);
  const std::string_view type = unit_type(unit.id);
  std::string_view stem = prefix_of(unit.id);
  for (unsigned n = 0; n < kMaxPrefixes && stem.size() > 1; ++n) {
    const std::size_t dash = stem.rfind('-', stem.size() - 2);
    if (dash == std::string_view::npos || dash == 0) break;
    stem = stem.substr(0, dash + 1);
    names.push_back(fmt::format("{}.{}", stem, type));
  }
  names.emplace_back(type);
  // By file name over all directories; the first directory's file of a name counts.
  std::map<std::string, std::string> files;
  for (const std::string& name : names) {
    for (const std::string_view directory : kDirectories) {
      const std::string path = fmt::format("{}/{}.d", directory, name);
      for (const std::string& file : entries(path)) {
        if (file.ends_with(".conf") && files.size() < kMaxDropIns)
          files.try_emplace(file, fmt::format("{}/{}", path, file));
      }
    }
  }
  for (const auto& [file, path] : files) {
    const auto text = read(path, unit);
    if (!text) continue;
    unit.drop_ins.push_back("/" + path);
    apply_unit_file(unit, *text);
  }
}

}  // namespace rehearse::units
