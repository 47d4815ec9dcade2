#include "rehearsal/action_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/sys.h"
#include "base/toml_file.h"
#include "base/units.h"
#include "rehearsal/expect_file.h"

namespace rehearse {
namespace {

constexpr std::string_view kSchema = "rehearse.action/1";
constexpr std::int64_t kMostPids = 4'194'304;  // PID_MAX_LIMIT

bool is_action_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= 128 && name.front() != '.' && name.front() != '-' &&
         std::ranges::all_of(name, good);
}

/// The key's text as another parser reads it.
template <class Value>
Result<std::optional<Value>> parsed(const TomlTable& table, std::string_view key,
                                    Result<Value> (*parse)(std::string_view)) {
  RH_TRY(const auto text, table.text(key));
  if (!text) return std::nullopt;
  auto value = parse(*text);
  if (!value) return table.error_at(key, value.error().what, value.error().fix);
  return std::move(*value);
}

/// The key's text, for a C string.
Result<std::optional<std::string>> plain_text(const TomlTable& table, std::string_view key) {
  RH_TRY(auto text, table.text(key));
  if (text && text->find('\0') != std::string::npos)
    return table.error_at(key, "has a NUL in it", "leave it out");
  return text;
}

Result<void> read_head(const TomlTable& root, ActionFile& file) {
  RH_TRY(const auto schema, plain_text(root, "schema"));
  if (!schema)
    return root.error("\"schema\" is missing",
                      fmt::format("write schema = \"{}\" in the first line", kSchema));
  if (*schema != kSchema)
    return root.error_at("schema", fmt::format("\"{}\" is not known", *schema),
                         fmt::format("write \"{}\"", kSchema));
  RH_TRY(const auto name, plain_text(root, "name"));
  if (!name) return root.error("\"name\" is missing", "write name = \"tune-nginx\"");
  if (!is_action_name(*name))
    return root.error_at("name", fmt::format("\"{}\" is no name", *name),
                         "use letters, digits, dot, dash and underscore, and begin with a letter or digit");
  file.name = *name;
  RH_TRY(const auto kind, plain_text(root, "class"));
  file.kind = kind.value_or("");
  RH_TRY(file.argv, root.texts("argv"));
  if (file.argv.empty() || file.argv.front().empty())
    return root.error("\"argv\" is missing or empty", "write argv = [\"/usr/local/sbin/tune\", \"--all\"]");
  RH_TRY(const auto extra, plain_text(root, "extra_args"));
  if (extra && *extra != "append" && *extra != "refuse")
    return root.error_at("extra_args", fmt::format("\"{}\" is not known", *extra),
                         "write \"append\" or \"refuse\"");
  file.takes_extra_words = extra == "append";
  RH_TRY(const auto user, plain_text(root, "user"));
  file.user = user.value_or("");
  RH_TRY(const auto cwd, plain_text(root, "cwd"));
  file.cwd = cwd.value_or("");
  RH_TRY(const auto read_only, root.boolean("read_only"));
  file.read_only = read_only.value_or(false);
  if (cwd && !cwd->starts_with('/'))
    return root.error_at("cwd", fmt::format("\"{}\" is not an absolute path", *cwd), "begin it with a slash");
  return {};
}

Result<void> read_environment(const TomlTable& root, ActionFile& file) {
  RH_TRY(const auto table, root.table("env"));
  if (!table) return {};
  RH_CHECK(table->allow_only({"pass", "set"}));
  RH_TRY(const auto pass, table->texts("pass"));
  for (const std::string& name : pass) {
    if (name.empty() || name.find('=') != std::string::npos)
      return table->error_at("pass", fmt::format("\"{}\" is no name of a variable", name),
                             "values belong to `set = { NAME = \"value\" }`");
    file.env.push_back(name);
  }
  RH_TRY(const auto set, table->text_pairs("set"));
  for (const auto& [name, value] : set) {
    if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos ||
        value.find('\0') != std::string::npos)
      return table->error_at(
          "set", fmt::format("\"{}\" is no name of a variable, or its value has a NUL in it", name),
          "write set = { NAME = \"value\" }");
    file.env.push_back(name + '=' + value);
  }
  return {};
}

Result<void> read_limits(const TomlTable& root, ActionFile& file) {
  RH_TRY(const auto table, root.table("limits"));
  if (!table) return {};
  RH_CHECK(table->allow_only({"wall", "memory", "pids", "cpus", "write"}));
  RH_TRY(file.wall_ns, parsed(*table, "wall", parse_duration));
  RH_TRY(file.memory_bytes, parsed(*table, "memory", parse_bytes));
  RH_TRY(file.write_bytes, parsed(*table, "write", parse_bytes));
  RH_TRY(const auto pids, table->integer("pids", 2, kMostPids));
  if (pids) file.pids = static_cast<std::uint64_t>(*pids);
  RH_TRY(file.cpus, table->number("cpus"));
  return {};
}

Result<void> read_mirror(const TomlTable& root, ActionFile& file) {
  RH_TRY(const auto table, root.table("mirror"));
  if (!table) return {};
  RH_CHECK(table->allow_only({"hide", "mask"}));
  RH_TRY(file.hide, table->texts("hide"));
  RH_TRY(file.mask, table->texts("mask"));
  return {};
}

}  // namespace

Result<ActionFile> parse_action_file(std::string text, const std::string& path) {
  RH_TRY(const auto toml, TomlFile::parse(text, path));
  const TomlTable root = toml.root();
  RH_CHECK(root.allow_only({"schema", "name", "class", "argv", "extra_args", "user", "cwd", "read_only",
                            "env", "limits", "mirror", "pass", "deny", "mock", "expect", "probe"}));
  ActionFile file;
  file.path = path;
  RH_CHECK(read_head(root, file));
  RH_CHECK(read_environment(root, file));
  RH_CHECK(read_limits(root, file));
  RH_CHECK(read_mirror(root, file));
  RH_TRY(file.expected, read_expectations(root, path));
  file.text = std::move(text);
  return file;
}

Result<ActionFile> read_action_file(const std::string& action) {
  const bool named = action.find('/') == std::string::npos;
  if (named && !is_action_name(action))
    return fail(fmt::format("--action \"{}\": no name of an action", action), ExitCode::kUsage,
                fmt::format("name a file NAME.toml in {}, or give a path", kActionDirectory));
  const std::string path = named ? fmt::format("{}/{}.toml", kActionDirectory, action) : action;
  auto opened = sys::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!opened)
    return fail_errno(opened.error().err, "--action: cannot read " + path, ExitCode::kUsage,
                      fmt::format("name a file NAME.toml in {}, or give a path", kActionDirectory));
  RH_TRY(const auto st, sys::stat_fd(opened->get()));
  if (!S_ISREG(st.st_mode)) return fail("--action: " + path + " is not a regular file", ExitCode::kUsage);
  if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail("--action: somebody beside root can write " + path, ExitCode::kNoPermission,
                "chown root " + path + " && chmod go-w " + path);
  RH_TRY(auto text, sys::read_all(opened->get(), kLargestActionFile));
  RH_TRY(auto file, parse_action_file(std::move(text), path));
  if (named && file.name != action)
    return fail(fmt::format("{}: its name is \"{}\"", path, file.name), ExitCode::kConfig,
                fmt::format("call the file {}.toml", file.name));
  return file;
}

Result<std::optional<verdict::Expectations>> plan_expectations(const Options& options,
                                                               const ActionFile* file) {
  const bool by_file = file != nullptr && file->expected.any();
  if (options.expect.empty()) return by_file ? std::optional(file->expected) : std::nullopt;
  if (by_file)
    return fail(fmt::format("--expect: action {} declares what to expect already", file->name),
                ExitCode::kUsage,
                fmt::format("leave the option out, or take [expect] and [[probe]] out of {}", file->path));
  RH_TRY(auto expected, read_expect_file(options.expect));
  return expected;
}

Result<Options> with_action(Options options, const ActionFile& file) {
  if (!options.argv.empty() && !file.takes_extra_words)
    return fail(fmt::format("action {} takes no further words", file.name), ExitCode::kUsage,
                fmt::format("leave them out, or write extra_args = \"append\" in {}", file.path));
  options.argv.insert(options.argv.begin(), file.argv.begin(), file.argv.end());
  const auto fill = [](std::string& option, const std::string& value) {
    if (option.empty()) option = value;
  };
  const auto fill_limit = [](auto& option, const auto& value) {
    if (!option) option = value;
  };
  const auto put_before = [](std::vector<std::string>& list, const std::vector<std::string>& more) {
    list.insert(list.begin(), more.begin(), more.end());
  };
  fill(options.user, file.user);
  fill(options.cwd, file.cwd);
  options.read_only = options.read_only || file.read_only;
  fill_limit(options.wall_ns, file.wall_ns);
  fill_limit(options.memory_bytes, file.memory_bytes);
  fill_limit(options.pids, file.pids);
  fill_limit(options.cpus, file.cpus);
  fill_limit(options.write_bytes, file.write_bytes);
  put_before(options.env, file.env);  // the later one counts
  put_before(options.hide, file.hide);
  put_before(options.mask, file.mask);
  return options;
}

}  // namespace rehearse
