// rehearse recover: finishes or undoes what an interrupted promotion or rollback left.

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "base/escape.h"
#include "base/json_writer.h"
#include "base/stop_request.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "cli/run_at.h"
#include "cli/verb_support.h"
#include "promote/lock.h"
#include "promote/recover.h"
#include "report/writer.h"

namespace rehearse::cli {
namespace {

const char* word(promote::Recovered::Way way) {
  switch (way) {
    case promote::Recovered::Way::kNothing:
      return "nothing to do";
    case promote::Recovered::Way::kForward:
      return "finished";
    case promote::Recovered::Way::kBack:
      return "undone";
    case promote::Recovered::Way::kFailed:
      return "incomplete";
  }
  return "";
}

}  // namespace

Result<int> recover_verb(Globals& globals, Arguments arguments) {
  std::string wait = "10s";
  CommandLine line("Finish or undo what an interrupted promotion or rollback left", "recover", globals);
  line.option("--wait", wait, "How long to wait for a promotion that is going on (default 10s)")
      .type_name("TIME");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  RH_TRY(const std::int64_t wait_ns, of_option("--wait", parse_duration(wait)));
  prepare_process();
  std::vector<promote::Recovered> recovered;
  RH_TRY(const auto state, open_existing_state(globals));
  if (state) {
    RH_TRY(const promote::HostLock lock, promote::HostLock::take("recovery", wait_ns));
    stop_request::too_late();
    RH_TRY(recovered, promote::recover_all(*state, lock));
  }
  std::string text;
  JsonWriter json(text);
  json.open_object().key("schema").string("rehearse.recover/1").key("recovered").open_array();
  std::string lines;
  int code = 0;
  for (const promote::Recovered& one : recovered) {
    json.open_object().key("id").string(one.id).key("result").string(word(one.way)).key("notes").open_array();
    lines += fmt::format("{}  {}\n", escape_text(one.id), word(one.way));
    for (const std::string& note : one.notes) {
      json.string(to_utf8_lossy(note));
      lines += "  " + escape_text(note) + "\n";
    }
    json.close_array().key("units").open_array();
    for (const std::string& note : one.units) {
      json.string(to_utf8_lossy(note));
      lines += "  " + escape_text(note) + "\n";
    }
    const bool failed = one.way == promote::Recovered::Way::kFailed;
    const std::string fix = failed ? with_state(promote::kRecoverAgain, globals) : std::string();
    json.close_array().key("fix").string(to_utf8_lossy(fix)).close_object();
    if (failed) lines += "  " + escape_text(fix) + "\n";
    if (!one.units.empty()) code = std::max(code, static_cast<int>(ExitCode::kDiverged));
    if (failed) code = static_cast<int>(ExitCode::kRollbackIncomplete);
  }
  json.close_array().close_object();
  report::Writer out(STDOUT_FILENO);
  out.put(globals.json ? text + "\n" : recovered.empty() ? std::string("nothing to recover\n") : lines);
  RH_CHECK(out.flush());
  return code;
}

}  // namespace rehearse::cli
