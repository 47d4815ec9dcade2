#include "rehearsal/validators.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "base/toml_file.h"
#include "base/units.h"
#include "effects/manifest.h"
#include "verdict/path_globs.h"

extern "C" const char rehearse_validators[];
extern "C" const char rehearse_validators_end[];

namespace rehearse {
namespace {

constexpr std::string_view kSchema = "rehearse.validators/1";
constexpr std::size_t kMostFiles = 16;
constexpr std::size_t kMostRuns = 24;
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
    if (const std::string fault = verdict::PathGlobs::fault(pattern);
        !fault.empty() || !pattern.starts_with('/'))
      return table.error_at("files",
                            fmt::format("\"{}\" {}", pattern, fault.empty() ? "is not absolute" : fault),
                            "write a pattern as policies have them, that begins with a slash");
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

bool is_by_unit(const Validator& validator) {
  return std::ranges::find(validator.run, kUnit) != validator.run.end();
}

/// What has changed of the files of one validator.
struct Changed {
  std::vector<std::string> files;
  std::set<std::string> gone;
  bool more = false;

  void add(const effects::Change& change) {
    if (change.kind == effects::ChangeKind::kDeleted) gone.insert(change.path);
    if (files.size() < kMostFiles)
      files.push_back(change.path);
    else
      more = true;
  }
};

/// systemctl mask: there is no unit any more that could be checked.
bool masks_unit(const effects::Change& change) {
  return change.type == effects::FileType::kSymlink && change.after && change.after->target == "/dev/null" &&
         !unit_of_path(change.path).empty();
}

/// A directory says nothing, but one with all that is in it.
bool counts(const effects::Change& change) {
  if (change.kind == effects::ChangeKind::kIdentical || masks_unit(change)) return false;
  return change.type != effects::FileType::kDir || change.kind == effects::ChangeKind::kRenamed;
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

Validations validations_for(const std::vector<Validator>& validators, const ledger::Bundle& bundle) {
  verdict::PathGlobs globs;
  std::vector<std::set<std::size_t>> whose;  // by glob
  for (std::size_t i = 0; i < validators.size(); ++i) {
    for (const std::string& pattern : validators[i].files) {
      const std::uint32_t glob = globs.add(pattern);
      whose.resize(globs.size());
      whose[glob].insert(i);
    }
  }
  verdict::PathMatcher matcher(globs);
  std::vector<Changed> changed(validators.size());
  Validations found;
  const auto manifest = bundle.open_file("manifest");
  const auto read = !manifest ? tl::make_unexpected(manifest.error())
                              : effects::read_manifest(manifest->get(), [&](const effects::Change& change) {
                                  if (!counts(change)) return true;
                                  const bool renamed = change.kind == effects::ChangeKind::kRenamed;
                                  std::set<std::size_t> of;
                                  for (const auto glob : matcher.match(change.path, renamed))
                                    of.insert(whose[glob].begin(), whose[glob].end());
                                  for (const std::size_t i : of) changed[i].add(change);
                                  return true;
                                });
  found.cut = !read;
  for (std::size_t i = 0; i < validators.size(); ++i) {
    found.cut = found.cut || (changed[i].more && is_by_unit(validators[i]));
    std::ranges::sort(changed[i].files);
    add_runs(validators[i], changed[i].files, changed[i].gone, found);
  }
  return found;
}

}  // namespace rehearse
