#include "rehearsal/validators.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <re2/re2.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/sys.h"
#include "base/toml_file.h"
#include "base/units.h"
#include "verdict/path_globs.h"

extern "C" const char rehearse_validators[];
extern "C" const char rehearse_validators_end[];

namespace rehearse {
namespace {

constexpr std::string_view kSchema = "rehearse.validators/1";
constexpr std::size_t kMostEntries = 4096;  ///< of uppers that are looked at, for each pattern
constexpr std::size_t kMostFiles = 16;
constexpr std::size_t kMostRuns = 24;
constexpr int kDeepest = 16;
constexpr std::string_view kUnit = "{unit}";

Result<Validator> read_validator(const TomlTable& table) {
  RH_CHECK(table.allow_only({"files", "run", "unsure", "passed", "timeout"}));
  Validator validator;
  RH_TRY(validator.files, table.texts("files"));
  RH_TRY(validator.run, table.texts("run"));
  if (validator.files.empty() || validator.run.empty())
    return table.error("\"files\" or \"run\" is missing or empty",
                       "write files = [\"/etc/x/**\"] and run = [\"x\", \"-t\"]");
  for (const std::string& pattern : validator.files) {
    if (!pattern.starts_with('/'))
      return table.error_at("files", fmt::format("\"{}\" is not absolute", pattern), "begin it with a slash");
  }
  for (const auto& [key, into] :
       {std::pair("unsure", &validator.unsure), std::pair("passed", &validator.passed)}) {
    RH_TRY(const auto expression, table.text(key));
    *into = expression.value_or("");
    if (!re2::RE2(*into, re2::RE2::Quiet).ok())
      return table.error_at(key, "is no regular expression", "see RE2's syntax");
  }
  RH_TRY(const auto timeout, table.text("timeout"));
  if (timeout) {
    const auto parsed = parse_duration(*timeout);
    if (!parsed) return table.error_at("timeout", parsed.error().what, parsed.error().fix);
    validator.timeout_ns = *parsed;
  }
  return validator;
}

/// What the upper of the layer that shows a path holds of it.
class Uppers {
 public:
  Uppers(const ledger::Bundle& bundle, const sandbox::Plan& plan) : bundle_(bundle), plan_(plan) {}

  /// Calls `visit` for each path that `pattern` means and that is not a directory. False: there are more.
  template <class Visit>
  bool each(const std::string& pattern, const Visit& visit) {
    verdict::PathGlobs globs;
    globs.add(pattern);
    verdict::PathMatcher matcher(globs);
    std::string top = pattern.substr(0, pattern.find_first_of("*?[\\"));
    if (top.size() < pattern.size()) top.resize(top.rfind('/'));
    const auto [upper, rest] = open_layer(top);
    if (!upper.valid()) return true;
    auto object = rest.empty() ? sys::dup(upper.get())
                               : sys::open_beneath(upper.get(), rest.c_str(), O_PATH | O_NOFOLLOW);
    if (!object) return true;
    std::size_t left = kMostEntries;
    return walk(object->get(), top, kDeepest, left, [&](const std::string& path, const struct stat& st) {
      if (!matcher.match(path).empty()) visit(path, st);
    });
  }

 private:
  /// The upper's root and the path within it.
  std::pair<UniqueFd, std::string> open_layer(const std::string& path) const {
    const sandbox::MountPlan* best = nullptr;
    for (const sandbox::MountPlan& mount : plan_.mounts) {
      if (mount.show != sandbox::Show::kOverlay) continue;
      const std::string prefix = mount.mountpoint == "/" ? "/" : mount.mountpoint + '/';
      if (!(path + '/').starts_with(prefix)) continue;
      if (best == nullptr || mount.mountpoint.size() > best->mountpoint.size()) best = &mount;
    }
    if (best == nullptr) return {};
    auto upper = bundle_.open_dir(fmt::format("uppers/{}/upper", best->layer).c_str());
    if (!upper) return {};
    const std::size_t cut = best->mountpoint == "/" ? 1 : best->mountpoint.size() + 1;
    return {std::move(*upper), path.size() > cut ? path.substr(cut) : std::string()};
  }

  template <class Visit>
  static bool walk(int object, const std::string& path, int depth, std::size_t& left, const Visit& visit) {
    const auto st = sys::stat_fd(object);
    if (!st || left == 0) return false;
    --left;
    if (!S_ISDIR(st->st_mode)) {
      visit(path, *st);
      return true;
    }
    if (depth == 0) return false;
    auto listing = sys::open_beneath(object, ".", O_RDONLY | O_DIRECTORY);
    if (!listing) return false;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(listing->release()), ::closedir);
    if (!entries) return false;
    bool whole = true;
    while (const struct dirent* entry = ::readdir(entries.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      auto child = sys::open_beneath(::dirfd(entries.get()), name.c_str(), O_PATH | O_NOFOLLOW);
      std::string below = path;
      // One that is gone by now is not there to be validated.
      if (child) whole = walk(child->get(), below.append("/").append(name), depth - 1, left, visit) && whole;
    }
    return whole;
  }

  const ledger::Bundle& bundle_;
  const sandbox::Plan& plan_;
};

bool is_by_unit(const Validator& validator) {
  return std::ranges::find(validator.run, kUnit) != validator.run.end();
}

void add_runs(const Validator& validator, const std::vector<std::string>& changed,
              const std::set<std::string>& gone, Validations& to) {
  if (changed.empty()) return;
  if (!is_by_unit(validator)) {
    to.runs.push_back({&validator, validator.run, changed});
    return;
  }
  std::set<std::string> units;
  for (const std::string& file : changed) {
    const std::string unit = unit_of_path(file);
    // Of a unit that was removed there is nothing to be said.
    if (unit.empty() || gone.contains(unit) || !units.insert(unit).second) continue;
    if (to.runs.size() >= kMostRuns) {
      to.cut = true;
      return;
    }
    Validation run{&validator, validator.run, {file}};
    std::ranges::replace(run.argv, kUnit, unit);
    to.runs.push_back(std::move(run));
  }
}

}  // namespace

std::string unit_of_path(std::string_view path) {
  constexpr std::string_view kTypes[] = {".service", ".socket", ".timer", ".path",     ".mount",
                                         ".target",  ".slice",  ".swap",  ".automount"};
  const auto is_unit = [&](std::string_view name) {
    return std::ranges::any_of(kTypes,
                               [&](auto type) { return name.size() > type.size() && name.ends_with(type); });
  };
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view name = path.substr(slash + 1);
  if (is_unit(name) && !path.substr(0, slash).ends_with(".d")) return std::string(path);
  std::string_view directory = path.substr(0, slash);
  if (!name.ends_with(".conf") || !directory.ends_with(".d")) return {};
  directory.remove_suffix(2);
  directory.remove_prefix(directory.rfind('/') + 1);
  return is_unit(directory) ? std::string(directory) : std::string();
}

Result<std::vector<Validator>> parse_validators(std::string_view text, const std::string& path) {
  RH_TRY(const auto file, TomlFile::parse(text, path));
  const TomlTable root = file.root();
  RH_CHECK(root.allow_only({"schema", "validator"}));
  RH_TRY(const auto schema, root.text("schema"));
  if (!schema || *schema != kSchema)
    return root.error("\"schema\" is missing or not known",
                      fmt::format("write schema = \"{}\" in the first line", kSchema));
  RH_TRY(const auto tables, root.tables("validator"));
  std::vector<Validator> validators;
  for (const TomlTable& table : tables) {
    RH_TRY(auto validator, read_validator(table));
    validators.push_back(std::move(validator));
  }
  return validators;
}

const std::vector<Validator>& shipped_validators() {
  static const std::vector<Validator> kShipped = [] {
    const std::string_view text(rehearse_validators,
                                static_cast<std::size_t>(rehearse_validators_end - rehearse_validators));
    // A unit test reads it.
    return parse_validators(text, "packaging/failures/validators.toml").value_or(std::vector<Validator>());
  }();
  return kShipped;
}

Validations validations_for(const std::vector<Validator>& validators, const ledger::Bundle& bundle,
                            const sandbox::Plan& plan) {
  Uppers uppers(bundle, plan);
  Validations found;
  for (const Validator& validator : validators) {
    std::vector<std::string> changed;
    std::set<std::string> gone;
    for (const std::string& pattern : validator.files) {
      const bool whole = uppers.each(pattern, [&](const std::string& path, const struct stat& st) {
        if (S_ISCHR(st.st_mode)) gone.insert(path);  // a whiteout
        if (changed.size() < kMostFiles)
          changed.push_back(path);
        else if (is_by_unit(validator))
          found.cut = true;
      });
      found.cut = found.cut || !whole;
    }
    std::ranges::sort(changed);
    add_runs(validator, changed, gone, found);
  }
  return found;
}

}  // namespace rehearse
