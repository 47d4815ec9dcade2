// rehearse diff RUN [PATH...]: what changed inside files.

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/escape.h"
#include "base/json_writer.h"
#include "base/path.h"
#include "base/sys.h"
#include "cli/command_line.h"
#include "cli/named_run.h"
#include "cli/verb_support.h"
#include "effects/directory.h"
#include "effects/manifest.h"
#include "ledger/state.h"
#include "report/change_list.h"
#include "report/change_text.h"
#include "report/file_diff.h"
#include "report/host_names.h"
#include "report/json.h"
#include "report/style.h"
#include "report/terminal.h"
#include "report/writer.h"

namespace rehearse::cli {
namespace {

/// What the user asks for, and what became of it.
struct Filter {
  std::string path;
  bool shown = false;
  bool same = false;  ///< was written or touched, and is what it was
};

struct Options {
  std::string run;
  std::vector<std::string> paths;
  std::vector<Filter> filters;
  bool stat = false;
  bool exit_code = false;
};

/// The kept files of one run, by layer.
class KeptFiles {
 public:
  KeptFiles(const ledger::Bundle& bundle, const report::RunRecord& record)
      : bundle_(bundle), record_(record) {}

  /// Each change of the run, before the first is opened.
  void take(const effects::Change& change) {
    if (!change.after || !change.after->link_group || names_ >= kMostNames) return;
    links_[{change.layer, *change.after->link_group}].push_back(change.path);
    ++names_;
  }
  /// By any of its names: the layer has only those that were written to.
  Result<UniqueFd> open(const effects::Change& change) {
    auto file = open_at(change, change.path);
    if (file || !change.after || !change.after->link_group) return file;
    for (const std::string& name : links_[{change.layer, *change.after->link_group}]) {
      if (auto other = open_at(change, name)) return other;
    }
    return file;
  }

 private:
  static constexpr std::size_t kMostNames = 100'000;  ///< of hard links that are remembered

  Result<UniqueFd> open_at(const effects::Change& change, const std::string& name) {
    const auto layer = std::find_if(record_.layers.begin(), record_.layers.end(),
                                    [&](const report::LayerRecord& l) { return l.index == change.layer; });
    if (layer == record_.layers.end() || !report::is_at_or_below(name, layer->mountpoint)) {
      return fail("its layer is not recorded", ExitCode::kDataError);
    }
    auto upper = uppers_.find(change.layer);
    if (upper == uppers_.end()) {
      RH_TRY(UniqueFd fd, bundle_.open_dir(fmt::format("uppers/{}/upper", change.layer).c_str()));
      upper = uppers_.emplace(change.layer, std::move(fd)).first;
    }
    std::string_view relative = name;
    relative.remove_prefix(layer->mountpoint == "/" ? 1 : layer->mountpoint.size() + 1);
    if (relative.empty() || relative.find('\0') != std::string_view::npos)
      return fail("not a path below its layer", ExitCode::kDataError);
    const std::string path(relative);
    RH_TRY(const UniqueFd object, effects::open_object_beneath(upper->second.get(), path));
    RH_TRY(const struct stat st, sys::stat_fd(object.get()));
    if (!S_ISREG(st.st_mode)) return fail("not a regular file", ExitCode::kDataError);
    return sys::open(sys::fd_path(object.get()).c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOATIME);
  }

  const ledger::Bundle& bundle_;
  const report::RunRecord& record_;
  std::map<std::uint32_t, UniqueFd> uppers_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::vector<std::string>> links_;  ///< by layer and group
  std::size_t names_ = 0;
};

/// Escaped for a terminal, line by line, with colour by sign.
void put_text(report::Writer& out, std::string_view text, const report::Style& style) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string line = report::escape_line(text.substr(0, end));
    switch (line.empty() ? ' ' : line[0]) {
      case '+':
        out.put(style.green(line));
        break;
      case '-':
        out.put(style.red(line));
        break;
      case '@':
        out.put(style.cyan(line));
        break;
      default:
        out.put(line);
    }
    out.put('\n');
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

void put_change(report::Writer& out, const effects::Change& change, const report::FileDiff& diff,
                const report::HostNames& names, const report::Style& style) {
  const std::string path = escape_text(change.path);
  out.put(style.bold("diff " + path) + "  " + style.mark(change.kind) + "\n");
  for (const std::string& line : diff.header) out.put(line + "\n");
  if (!diff.note.empty()) out.put(diff.note + "\n");
  if (diff.text.empty()) return;
  out.put("--- " + (diff.made ? std::string("/dev/null") : "host" + escape_text(names.of(change).front())) +
          "\n");
  out.put("+++ " + (diff.gone ? std::string("/dev/null") : "run" + path) + "\n");
  put_text(out, diff.text, style);
}

void put_json(report::Writer& out, const effects::Change& change, const report::FileDiff* diff, bool first) {
  std::string text = first ? "\n" : ",\n";
  std::string object = report::to_json(change);
  object.pop_back();  // its closing brace
  text += object;
  if (diff != nullptr) {
    std::string more;
    JsonWriter json(more);
    json.open_object();
    if (diff->text.empty()) {
      json.key("diff").null();
    } else {
      json.bytes("diff", diff->text);
    }
    json.key("note");
    if (diff->note.empty()) {
      json.null();
    } else {
      json.string(diff->note);
    }
    json.close_object();
    more.front() = ',';
    text += more;
  } else {
    text += '}';
  }
  out.put(text);
}

/// True if a filter has it, or there is none.
bool is_selected(std::vector<Filter>& filters, const effects::Change& change,
                 const std::vector<std::string>& host_names) {
  const bool noise = report::is_noise(change);
  bool selected = filters.empty();
  for (Filter& filter : filters) {
    const bool meant = report::is_at_or_below(change.path, filter.path) ||
                       std::ranges::any_of(host_names, [&](const std::string& name) {
                         return report::is_at_or_below(name, filter.path);
                       });
    selected = selected || meant;
    filter.shown = filter.shown || (meant && !noise);
    filter.same = filter.same || (meant && noise);
  }
  return selected && !noise;
}

constexpr const char* kNotChanged = "the run did not change it";

const char* why_not_shown(const Filter& filter) {
  return filter.same ? "written or touched, yet nothing differs" : kNotChanged;
}

void put_unchanged(report::Writer& out, const Options& options) {
  for (const Filter& filter : options.filters) {
    // Else that is an error, and told as one.
    if (!filter.shown && (filter.same || options.exit_code))
      out.put(escape_text(filter.path) + ": " + why_not_shown(filter) + "\n");
  }
}

void put_unchanged_json(report::Writer& out, const Options& options) {
  std::string text;
  JsonWriter json(text);
  json.open_array();
  for (const Filter& filter : options.filters) {
    if (filter.shown) continue;
    json.open_object().bytes("path", filter.path).key("why").string(why_not_shown(filter)).close_object();
  }
  json.close_array();
  out.put("],\"unchanged\":" + text + "}\n");
}

/// A path that is none of the run's is a slip, but where it is asked whether there are differences.
Result<void> check_named(const Options& options, const std::string& run) {
  if (options.exit_code) return {};
  for (const Filter& filter : options.filters) {
    if (!filter.shown && !filter.same)
      return fail(filter.path + ": " + kNotChanged, ExitCode::kUsage,
                  "what it changed: rehearse diff " + run + " --stat");
  }
  return {};
}

Result<int> print_diff(const Globals& globals, Options& options) {
  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(const ledger::Bundle bundle, open_named_run(state, options.run, "diff"));
  if (!bundle.finished()) {
    return fail("run " + bundle.id() + " has no changes to show: it is still going on or was interrupted",
                ExitCode::kDataError);
  }
  RH_TRY(const report::RunRecord record, bundle.read_record());
  RH_TRY(const UniqueFd manifest, bundle.open_kept("manifest"));
  RH_TRY(const UniqueFd root, sys::open("/", O_PATH | O_DIRECTORY));
  KeptFiles kept(bundle, record);
  report::HostNames names;
  report::LinkNames links;
  RH_CHECK(effects::read_manifest(manifest.get(), [&](const effects::Change& change) {
    names.take(change);
    links.take(change);
    kept.take(change);
    return true;
  }));
  report::Sides sides;
  sides.open_host = [&](const std::string& path) { return report::open_host_file(root.get(), path); };
  sides.open_kept = [&](const effects::Change& change) { return kept.open(change); };

  const report::Style style(use_color(globals, STDOUT_FILENO));
  report::TerminalOptions line_options;
  line_options.color = use_color(globals, STDOUT_FILENO);
  report::Writer out(STDOUT_FILENO);
  effects::Counts counts;
  std::uint64_t shown = 0;
  bool damaged = false;
  if (globals.json) out.put("{\"schema\":\"rehearse.diff/1\",\"run\":\"" + bundle.id() + "\",\"changes\":[");
  RH_CHECK(effects::read_manifest(manifest.get(), [&](const effects::Change& change) {
    if (!is_selected(options.filters, change, names.of(change))) return true;
    report::count(counts, change.kind);
    ++shown;
    if (options.stat) {
      if (globals.json) {
        put_json(out, change, nullptr, shown == 1);
      } else {
        out.put(report::change_line(change, line_options, links) + "\n");
      }
      return !out.failed();
    }
    const report::FileDiff diff = report::diff_change(change, sides, names, links);
    damaged = damaged || diff.damaged;
    if (globals.json) {
      put_json(out, change, &diff, shown == 1);
    } else {
      put_change(out, change, diff, names, style);
    }
    return !out.failed();
  }));
  if (globals.json) {
    put_unchanged_json(out, options);
  } else {
    put_unchanged(out, options);
    if (options.stat) out.put(report::counts_line(counts) + "\n");
  }
  RH_CHECK(out.flush());
  if (damaged)
    return fail("run " + bundle.id() + ": a kept file is gone or is not the recorded one",
                ExitCode::kDataError, "the bundle is damaged; rehearse again");
  RH_CHECK(check_named(options, bundle.id()));
  return options.exit_code && shown > 0 ? 1 : 0;
}

}  // namespace

Result<int> diff_verb(Globals& globals, Arguments arguments) {
  Options options;
  CommandLine line("Print what changed inside files: the host now against what the run made of it", "diff",
                   globals);
  line.option("RUN", options.run, "Run id, the unique start of one, or `last`").required();
  line.option("PATH", options.paths,
              "Only these absolute paths and what lies below them; it is an error (64) if the run changed "
              "nothing there");
  line.flag("--stat", options.stat, "One line a path, no content");
  line.flag(
      "--exit-code", options.exit_code,
      "Exit 1 if there are differences, 0 if not (also where the run did not change PATH), more on errors");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  for (const std::string& path : options.paths) {
    if (!path.starts_with('/')) return fail("PATH must be absolute, not \"" + path + "\"", ExitCode::kUsage);
    options.filters.push_back({normal_path(path)});
  }
  auto code = print_diff(globals, options);
  // 1 means "they differ" here, so it cannot mean failure too.
  if (!code && options.exit_code && code.error().exit == ExitCode::kFailure)
    code.error().exit = static_cast<ExitCode>(2);
  return code;
}

}  // namespace rehearse::cli
