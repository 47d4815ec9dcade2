// Methods that the host would not be the same after: jobs, transient units, signals, the manager itself.
#include <fmt/core.h>
#include <algorithm>
#include <array>
#include <csignal>

#include "base/escape.h"
#include "units/connection.h"
#include "units/manager.h"
#include "units/unit_name.h"

namespace rehearse::units {
namespace {

constexpr std::size_t kMaxSetBytes = 32U << 10U;

std::string job_path(std::uint32_t id) {
  return fmt::format("{}/job/{}", kManagerPath, id);
}

/// Everything of an "a(sv)".
std::vector<Property> read_properties(DbusReader& reader) {
  std::vector<Property> properties;
  reader.enter_array("(sv)");
  while (reader.more()) {
    reader.enter_struct();
    std::string name(reader.string());
    properties.push_back(read_variant(std::move(name), reader));
    reader.leave();
  }
  return properties;
}

/// The first command of an ExecStart, as a person would type it.
std::string command_of(const std::vector<Property>& properties) {
  for (const Property& property : properties) {
    if (property.signature != "a(sasb)" && property.signature != "a(sasas)") continue;
    if (!property.name.starts_with("ExecStart") || property.name.starts_with("ExecStartP")) continue;
    DbusReader reader(property.value, property.signature);
    reader.enter_array(std::string_view(property.signature).substr(1));
    if (!reader.more()) continue;
    reader.enter_struct();
    reader.string();
    std::string line;
    for (const std::string& word : reader.strings()) {
      if (line.size() > kMaxRecordText) break;
      line += (line.empty() ? "" : " ") + shell_quote(word);
    }
    return line;
  }
  return {};
}

/// Those that a scope is made of.
std::vector<std::uint32_t> processes_of(const std::vector<Property>& properties) {
  std::vector<std::uint32_t> processes;
  for (const Property& property : properties) {
    if (property.name != "PIDs" || property.signature != "au") continue;
    DbusReader reader(property.value, property.signature);
    reader.enter_array("u");
    while (reader.more() && processes.size() < kMaxScopeProcesses) processes.push_back(reader.uint32());
  }
  return processes;
}

/// Takes `changed` into `set`, unless that grows too large.
bool merge(std::vector<Property>& set, std::vector<Property> changed) {
  for (Property& property : changed) {
    const auto old =
        std::find_if(set.begin(), set.end(), [&](const Property& p) { return p.name == property.name; });
    old == set.end() ? set.push_back(std::move(property)) : void(*old = std::move(property));
  }
  std::size_t bytes = 0;
  for (const Property& property : set) bytes += property.name.size() + property.value.size();
  return set.size() <= kMaxSetProperties && bytes <= kMaxSetBytes;
}

std::string names_of(const std::vector<Property>& properties) {
  std::string names;
  for (const Property& property : properties) {
    if (names.size() > kMaxRecordText) break;
    names += (names.empty() ? "" : " ") + property.name;
  }
  return names;
}

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? fmt::format("SIG{}", name) : std::to_string(number);
}

}  // namespace

void Manager::queue_job(Connection& connection, const Message& call, const std::string& name,
                        const JobKind& kind, const std::string& mode) {
  UnitRequest request;
  request.unit = name;
  request.request = kind.request;
  request.mode = mode;
  auto unit = load(name);
  if (!unit) return refuse_request(connection, call, std::move(request), unit.error());
  if (!is_job_mode(mode)) {
    return refuse_request(connection, call, std::move(request),
                          {std::string(bus_error::kInvalidArgs), fmt::format("Job mode {} invalid", mode)});
  }
  JobType type = kind.type;
  if (kind.reload_if_possible && table_.can_reload(**unit)) {
    if (type == JobType::kRestart) type = JobType::kReloadOrStart;
    if (type == JobType::kTryRestart) type = JobType::kTryReload;
  }
  mention(connection, (*unit)->id);
  auto jobs = plan_jobs(table_, **unit, type, mode);
  if (!jobs) return refuse_request(connection, call, std::move(request), jobs.error());
  ending_ = ending_ || (ends_the_system((*unit)->id) && jobs->front().type == JobType::kStart);
  apply_jobs(table_, *jobs);

  const std::uint32_t first = last_job_ + 1;
  last_job_ += static_cast<std::uint32_t>(jobs->size());
  const auto each_job = [&](const auto& use) {
    std::uint32_t id = first;
    for (const Job& job : *jobs) use(id++, job);
  };
  each_job([&](std::uint32_t id, const Job& job) {
    signal(connection, "JobNew", "uos",
           DbusWriter().uint32(id).object_path(job_path(id)).string(job.unit).take());
  });
  DbusWriter out;
  if (kind.verbose) {
    const auto describe = [&](std::uint32_t id, const Job& job) {
      out.uint32(id).object_path(job_path(id)).string(job.unit).object_path(unit_path(job.unit));
      out.string(to_string(job.type));
    };
    describe(first, jobs->front());
    const DbusWriter::Array others = out.open_array('(');
    each_job([&](std::uint32_t id, const Job& job) {
      if (id == first) return;
      out.open_struct();
      describe(id, job);
    });
    out.close_array(others);
    reply(connection, call, "uososa(uosos)", out.take());
  } else {
    reply(connection, call, "o", out.object_path(job_path(first)).take());
  }
  each_job([&](std::uint32_t id, const Job& job) {
    signal(connection, "JobRemoved", "uoss",
           DbusWriter().uint32(id).object_path(job_path(id)).string(job.unit).string(job.result).take());
    if (id != first) request.also.push_back(fmt::format("{} {}", to_string(job.type), job.unit));
  });
  if (const Job& job = jobs->front(); job.result == "invalid") {
    // As the client says that waits for the job's end.
    request.answered = Answered::kRefused;
    request.detail = fmt::format("{} is not active, cannot reload.", job.unit);
  } else if (job.result == "dependency") {
    request.answered = Answered::kRefused;
    request.detail = fmt::format("A dependency job for {} failed.", job.unit);
  }
  record(&connection, std::move(request));
}

void Manager::enqueue_job(Connection& connection, const Message& call) {
  DbusReader reader = call.reader();
  const std::string name(reader.string());
  const std::string type(reader.string());
  const std::string mode(reader.string());
  JobKind kind{type, JobType::kNop, false, true};
  const auto plain = parse_job_type(type);
  if (type == "reload-or-restart" || type == "reload-or-try-restart") {
    kind.type = type == "reload-or-restart" ? JobType::kRestart : JobType::kTryRestart;
    kind.reload_if_possible = true;
  } else if (plain) {
    kind.type = *plain;
  } else {
    return error(connection, call,
                 {std::string(bus_error::kInvalidArgs), fmt::format("Job type {} invalid", type)});
  }
  queue_job(connection, call, name, kind, mode);
}

void Manager::start_transient(Connection& connection, const Message& call) {
  DbusReader reader = call.reader();
  const std::string name(reader.string());
  const std::string mode(reader.string());
  struct Wanted {
    std::string name;
    std::vector<Property> properties;
  };
  std::vector<Wanted> all = {{name, read_properties(reader)}};
  reader.enter_array("(sa(sv))");
  while (reader.more()) {
    reader.enter_struct();
    std::string auxiliary(reader.string());
    all.push_back({std::move(auxiliary), read_properties(reader)});
    reader.leave();
  }
  UnitRequest request;
  request.unit = name;
  request.request = "start-transient";
  request.mode = mode;
  for (const Wanted& wanted : all) {
    if (request.detail.empty()) request.detail = command_of(wanted.properties);
  }
  for (Wanted& wanted : all) {
    auto unit = table_.make_transient(wanted.name);
    if (!unit) return refuse_request(connection, call, std::move(request), unit.error());
    (*unit)->processes = processes_of(wanted.properties);
    if (!merge((*unit)->set, std::move(wanted.properties))) {
      return refuse_request(connection, call, std::move(request),
                            {std::string(bus_error::kLimitsExceeded), "Too many properties."});
    }
    const std::string description = table_.text(**unit, "Description");
    if (!description.empty()) (*unit)->description = description;
  }
  const std::string detail = request.detail;
  const std::size_t recorded = requests_.size();
  queue_job(connection, call, name, {"start-transient", JobType::kStart}, mode);
  if (requests_.size() > recorded && requests_.back().answered == Answered::kMocked)
    requests_.back().detail = detail;
  if (unit_type(name) == "scope") connection.scope = name;
}

void Manager::kill(Connection& connection, const Message& call, const std::string& name,
                   DbusReader& arguments) {
  const std::string who(arguments.string());
  const int number = arguments.int32();
  UnitRequest request;
  request.unit = name;
  request.request = "kill";
  request.mode = fmt::format("{} {}", signal_name(number), who);
  const auto refused = [&](const BusError& why) { refuse_request(connection, call, request, why); };
  const auto unit = loaded(name);
  if (!unit) return refused(unit.error());
  static constexpr std::array<std::string_view, 6> kWho = {"main",      "control",      "all",
                                                           "main-fail", "control-fail", "all-fail"};
  if (!who.empty() && std::find(kWho.begin(), kWho.end(), who) == kWho.end()) {
    return refused({std::string(bus_error::kInvalidArgs), fmt::format("Invalid who argument {}", who)});
  }
  if (number <= 0 || number >= SIGRTMAX + 1) {
    return refused({std::string(bus_error::kInvalidArgs), "Signal number out of range."});
  }
  const std::string_view type = unit_type(name);
  const bool has_main = type == "service";
  if (who.starts_with("main") && !has_main) {
    return refused(
        {std::string(bus_error::kNoSuchProcess), fmt::format("{} units have no main processes", type)});
  }
  if (who.ends_with("-fail") && (*unit)->inactive()) {
    return refused({std::string(bus_error::kNoSuchProcess), "No matching processes to kill"});
  }
  mention(connection, (*unit)->id);
  // What a program makes of a signal cannot be known; those that end one by default do, unless it comes back.
  const std::string restart = table_.text(**unit, "Restart");
  const bool clean = number == SIGTERM || number == SIGINT;
  const bool deadly = clean || number == SIGKILL || number == SIGQUIT || number == SIGABRT;
  const bool comes_back =
      restart == "always" ||
      (clean ? restart == "on-success" : !restart.empty() && restart != "no" && restart != "on-success");
  if ((*unit)->active() && (type == "service" || type == "scope") && deadly && !comes_back &&
      !who.starts_with("control")) {
    table_.stop(**unit, clean ? "success" : "signal");
  }
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::reset_failed(Connection& connection, const Message& call, const std::string& name) {
  UnitRequest request;
  request.unit = name;
  request.request = "reset-failed";
  const auto unit = loaded(name);
  if (!unit) return refuse_request(connection, call, std::move(request), unit.error());
  table_.reset_failed(**unit);
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::reset_all_failed(Connection& connection, const Message& call) {
  for (auto& [id, unit] : table_.units()) table_.reset_failed(unit);
  UnitRequest request;
  request.request = "reset-failed";
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::set_properties(Connection& connection, const Message& call, const std::string& name,
                             DbusReader& arguments) {
  arguments.boolean();  // for this boot only or not
  std::vector<Property> properties = read_properties(arguments);
  UnitRequest request;
  request.unit = name;
  request.request = "set-property";
  request.mode = names_of(properties);
  auto unit = load(name);
  if (!unit) return refuse_request(connection, call, std::move(request), unit.error());
  if (auto usable = UnitTable::check_loaded(**unit); !usable) {
    return refuse_request(connection, call, std::move(request), usable.error());
  }
  std::vector<Property> set = (*unit)->set;
  if (!merge(set, std::move(properties))) {
    return refuse_request(connection, call, std::move(request),
                          {std::string(bus_error::kLimitsExceeded), "Too many properties."});
  }
  (*unit)->set = std::move(set);
  mention(connection, (*unit)->id);
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

/// Which units the host's manager has marks on is not known here; inside none has one.
void Manager::enqueue_marked(Connection& connection, const Message& call) {
  UnitRequest request;
  request.request = call.member;
  record(&connection, std::move(request));
  list_nothing(connection, call);
}

void Manager::note_and_done(Connection& connection, const Message& call) {
  UnitRequest request;
  request.request = call.member;
  DbusReader reader = call.reader();
  const bool named = call.signature.starts_with("s") && call.member != "SetShowStatus";
  if (named) request.unit = reader.string();
  if (named) {
    if (const auto unit = loaded(request.unit); !unit) {
      return refuse_request(connection, call, std::move(request), unit.error());
    }
  }
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::daemon_reload(Connection& connection, const Message& call) {
  table_.reload();
  UnitRequest request;
  request.request = "daemon-reload";
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::daemon_reexec(Connection& connection, const Message&) {
  table_.reload();
  UnitRequest request;
  request.request = "daemon-reexec";
  record(&connection, std::move(request));
  connection.closing = true;  // the manager that takes over does not know the client
}

void Manager::end_system(Connection& connection, const Message& call) {
  ending_ = true;
  UnitRequest request;
  request.request = call.member;
  std::transform(request.request.begin(), request.request.end(), request.request.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

}  // namespace rehearse::units
