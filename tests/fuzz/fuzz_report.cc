// Arbitrary change records through everything that shows them.
#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "changes.h"
#include "report/attributes.h"
#include "report/change_list.h"
#include "report/change_text.h"
#include "report/file_diff.h"
#include "report/json.h"
#include "report/terminal.h"

using namespace rehearse;

namespace {

std::string exact(const nlohmann::json& object, const std::string& name) {
  if (object.contains(name + "_b64")) return from_base64(object[name + "_b64"].get<std::string>());
  return object[name].is_string() ? object[name].get<std::string>() : std::string();
}

/// Without the colours that Style puts there.
std::string without_colors(std::string text) {
  for (const std::string_view sgr : {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m",
                                     "\x1b[36m", "\x1b[1;31m", "\x1b[1;32m", "\x1b[1;33m", "\x1b[1;35m",
                                     "\x1b[1;30;42m", "\x1b[1;30;43m", "\x1b[1;30;45m", "\x1b[1;37;41m"}) {
    for (std::size_t at = 0; (at = text.find(sgr, at)) != std::string::npos;) text.erase(at, sgr.size());
  }
  return text;
}

void check_one(const effects::Change& change) {
  const auto json = nlohmann::json::parse(report::to_json(change), nullptr, false);
  FUZZ_REQUIRE(!json.is_discarded() && json.is_object());
  FUZZ_REQUIRE(fuzz::is_harmless(report::to_json(change)));
  FUZZ_REQUIRE(exact(json, "path") == change.path);
  FUZZ_REQUIRE(fuzz::is_harmless(report::details(change)));
  const report::Sides nothing{
      [](const std::string&) { return Result<UniqueFd>(fail("\x1b[2J", ExitCode::kFailure)); },
      [](const effects::Change&) { return Result<UniqueFd>(fail("\x1b[2J", ExitCode::kFailure)); }};
  const auto diff = report::diff_change(change, nothing);
  FUZZ_REQUIRE(fuzz::is_harmless(diff.note) && diff.text.empty());
  for (const std::string& line : diff.header) FUZZ_REQUIRE(fuzz::is_harmless(line));
  for (const auto& side : {change.before, change.after}) {
    if (!side) continue;
    for (const auto& [name, value] : side->xattrs) {
      FUZZ_REQUIRE(fuzz::is_harmless(report::acl_text(value)));
      FUZZ_REQUIRE(fuzz::is_harmless(report::caps_text(value)));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes in(data, size);
  report::TerminalOptions options;
  options.columns = in.byte();
  const std::vector<effects::Change> changes = fuzz::make_changes(in);
  for (const effects::Change& change : changes) check_one(change);

  const UniqueFd manifest = fuzz::write_manifest(changes);
  report::RunRecord record;
  record.id = "20261124-020515-abcdef";
  std::string plain;
  for (const bool color : {false, true}) {
    options.color = color;
    report::Writer out;
    FUZZ_REQUIRE(report::write_terminal_report(out, record, manifest.get(), options).has_value());
    const std::string text = color ? without_colors(out.text()) : out.text();
    FUZZ_REQUIRE(fuzz::is_harmless(text, "\n"));
    FUZZ_REQUIRE(!color || text == plain);  // colour adds nothing
    plain = text;
  }
  // Whatever the width: what is destroyed is named in full.
  for (const effects::Change& change : changes) {
    if (report::is_destructive(change))
      FUZZ_REQUIRE(plain.find(escape_text(change.path)) != std::string::npos);
  }
  report::Writer document;
  FUZZ_REQUIRE(report::write_run_json(document, record, manifest.get()).has_value());
  FUZZ_REQUIRE(fuzz::is_harmless(document.text(), "\n"));
  const auto json = nlohmann::json::parse(document.text(), nullptr, false);
  FUZZ_REQUIRE(!json.is_discarded() && json["changes"].size() == changes.size());
  return 0;
}
