#include "report/context_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/escape.h"
#include "report/text_width.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kNameLimit = 128;
constexpr std::size_t kReasonLimit = 512;
constexpr std::size_t kMostReasons = 3;
constexpr std::size_t kMostOnes = 20;
constexpr std::size_t kMostLogins = 10;
constexpr std::size_t kMostSockets = 6;

std::string joined(const std::vector<std::string>& words, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < std::min(words.size(), most); ++i)
    text += (text.empty() ? "" : ", ") + escape_text(words[i], kReasonLimit);
  if (words.size() > most) text += fmt::format(" and {} more", words.size() - most);
  return text;
}

std::string name_of(const AffectedOne& one) {
  std::string name = escape_text(one.unit, kNameLimit);
  if (one.processes.empty()) return name;
  const AffectedProcess& first = one.processes.front();
  const std::string process = fmt::format("{} (pid {})", escape_text(first.comm, 64), first.pid);
  if (one.processes.size() > 1)
    return fmt::format("{}{}{} processes: {}, …", name, name.empty() ? "" : ", ", one.processes.size(),
                       process);
  return name + (name.empty() ? "" : ", ") + process;
}

std::string ending_of(const EarlierRun& run) {
  if (run.signal) return fmt::format("signal {}", *run.signal);
  return run.exit ? fmt::format("exit {}", *run.exit) : "no exit status";
}

}  // namespace

std::string affected_text(const Affected& affected, std::size_t columns) {
  std::string text;
  std::size_t shown = 0;
  for (const AffectedOne& one : affected.who) {
    if (shown++ == kMostOnes) {
      text += fmt::format("  and {} more\n", affected.who.size() - kMostOnes);
      break;
    }
    text += wrap(name_of(one), 2, columns);
    std::size_t reasons = 0;
    for (const std::string& reason : one.reasons) {
      if (reasons++ == kMostReasons) break;
      text += wrap(escape_text(reason, kReasonLimit), 6, columns);
    }
    if (one.reasons_total > kMostReasons)
      text += fmt::format("      and {} more\n", one.reasons_total - kMostReasons);
    if (!one.listens.empty()) text += wrap("listens on " + joined(one.listens, kMostSockets), 6, columns);
  }
  if (affected.who.empty()) text += "  nobody holds what changes, and no unit was asked for\n";
  if (affected.cut) text += "  so many files change that not all were looked for\n";
  if (!affected.logins.empty()) {
    std::vector<std::string> people;
    for (const LoggedIn& login : affected.logins)
      people.push_back(login.user + " on " + login.line + (login.from.empty() ? "" : " from " + login.from));
    text += wrap("logged in: " + joined(people, kMostLogins), 2, columns);
  }
  return text;
}

double failure_bound(std::uint64_t clean) {
  return clean == 0 ? 1.0 : 1.0 - std::pow(0.05, 1.0 / static_cast<double>(clean));
}

std::string history_text(const History& history, const Style& style, std::size_t columns) {
  std::string text = fmt::format("  {} other run{} of this action, {} with the same effects", history.runs,
                                 history.runs == 1 ? "" : "s", history.same_effects);
  text += fmt::format("; {} promoted, {} of them not to the end\n", history.promoted, history.diverged);
  if (history.clean_streak != 0)
    text += wrap(
        fmt::format("the last {} clean: 0 failures in {} ⇒ at most {:.1f} % fail, at 95 %",
                    history.clean_streak, history.clean_streak, failure_bound(history.clean_streak) * 100),
        2, columns);
  for (const EarlierRun& run : history.latest) {
    std::string line =
        fmt::format("  {}  {}  {}", escape_text(run.id, 64),
                    style.bold(fmt::format("{:<12}", escape_text(run.verdict, 16))), ending_of(run));
    if (!run.same_effects) line += ", other effects";
    if (!run.promoted.empty()) line += ", promoted: " + escape_text(run.promoted, 32);
    if (run.rolled_back) line += ", taken back";
    text += line + '\n';
    if (!run.unclean.empty()) text += wrap("not clean: " + escape_text(run.unclean, 300), 6, columns);
  }
  return text;
}

void write_affected(JsonWriter& json, const Affected& affected) {
  json.key("affected").open_object().key("at").string(rfc3339(affected.at_ns));
  json.key("complete").boolean(!affected.cut).key("who").open_array();
  for (const AffectedOne& one : affected.who) {
    json.open_object().bytes("unit", one.unit).key("processes").open_array();
    for (const AffectedProcess& process : one.processes)
      json.open_object()
          .key("pid")
          .integer(std::int64_t{process.pid})
          .bytes("comm", process.comm)
          .close_object();
    json.close_array().words("reasons", one.reasons).key("reasons_total").integer(one.reasons_total);
    json.words("listens", one.listens).close_object();
  }
  json.close_array().key("logged_in").open_array();
  for (const LoggedIn& login : affected.logins) {
    json.open_object().bytes("user", login.user).bytes("line", login.line).bytes("from", login.from);
    json.key("since").string(rfc3339(login.since_ns)).close_object();
  }
  json.close_array().close_object();
}

void write_history(JsonWriter& json, const History& history) {
  json.key("history").open_object().key("runs").integer(history.runs);
  json.key("same_effects").integer(history.same_effects).key("clean_streak").integer(history.clean_streak);
  json.key("failure_bound_95").ratio(failure_bound(history.clean_streak));
  json.key("promoted").integer(history.promoted).key("diverged").integer(history.diverged);
  json.key("latest").open_array();
  for (const EarlierRun& run : history.latest) {
    json.open_object().bytes("id", run.id).key("created").string(rfc3339(run.created_ns));
    json.bytes("verdict", run.verdict);
    for (const auto& [name, value] : {std::pair("exit", run.exit), std::pair("signal", run.signal)}) {
      json.key(name);
      if (value)
        json.integer(std::int64_t{*value});
      else
        json.null();
    }
    json.key("same_effects").boolean(run.same_effects).bytes("unclean", run.unclean);
    json.bytes("promoted", run.promoted).key("rolled_back").boolean(run.rolled_back).close_object();
  }
  json.close_array().close_object();
}

}  // namespace rehearse::report
