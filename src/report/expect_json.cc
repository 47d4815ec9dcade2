#include "report/expect_json.h"

namespace rehearse::report {
namespace {

void write_number(JsonWriter& json, const char* name, const std::optional<int>& value) {
  json.key(name);
  if (value)
    json.integer(std::int64_t{*value});
  else
    json.null();
}

void write_inside(JsonWriter& json, const InsideRecord& run) {
  json.words("argv", run.argv).key("ran").boolean(run.ran);
  write_number(json, "exit", run.exit);
  write_number(json, "signal", run.signal);
  json.key("timed_out").boolean(run.timed_out).key("error");
  if (run.error.empty())
    json.null();
  else
    json.string(to_utf8_lossy(run.error));
  json.key("wall_s").seconds(run.wall_ns).bytes("stdout", run.out).bytes("stderr", run.err);
  json.key("process").integer(std::uint64_t{run.process}).words("changed", run.changed);
}

InsideRecord read_inside(JsonReader& json) {
  InsideRecord run;
  run.argv = json.words("argv");
  run.ran = json.boolean("ran");
  run.exit = json.optional_integer<int>("exit");
  run.signal = json.optional_integer<int>("signal");
  run.timed_out = json.boolean("timed_out");
  run.error = json.bytes("error");
  run.wall_ns = json.seconds("wall_s");
  run.out = json.bytes("stdout");
  run.err = json.bytes("stderr");
  run.process = json.integer<std::uint32_t>("process");
  run.changed = json.words("changed");
  return run;
}

}  // namespace

void write_declared(JsonWriter& json, const Declared& declared) {
  json.key("expect").open_object().bytes("source", declared.source);
  json.key("level").string(verdict::to_string(declared.level)).key("wanted").open_array();
  for (const verdict::Wanted& wanted : declared.wanted)
    json.open_object().bytes("what", wanted.what).words("values", wanted.values).close_object();
  json.close_array().close_object();
}

void read_declared(JsonReader& json, Action& action) {
  if (json.find("expect") == nullptr) return;
  JsonReader from = json.child("expect");
  Declared& declared = action.expect.emplace();
  declared.source = from.bytes("source");
  const std::string level = from.bytes("level");
  if (level == verdict::to_string(verdict::Level::kRed))
    declared.level = verdict::Level::kRed;
  else if (level != verdict::to_string(verdict::Level::kYellow))
    from.wrong("level", "yellow or red");
  from.each("wanted", [&](const nlohmann::json& item, const std::string& where) {
    JsonReader reader = from.item(item, where);
    declared.wanted.push_back({reader.bytes("what"), reader.words("values")});
  });
}

void write_expectations(JsonWriter& json, const RunRecord& record) {
  json.key("expectations").open_array();
  for (const verdict::Expectation& row : record.expectations) {
    json.open_object().bytes("what", row.what).bytes("wanted", row.wanted).bytes("got", row.got);
    json.key("met").boolean(row.met).close_object();
  }
  json.close_array().key("probes").open_array();
  for (const ProbeRecord& probe : record.probes) {
    json.open_object();
    write_inside(json, probe.run);
    json.key("expected_exit").integer(std::int64_t{probe.expected_exit});
    json.key("met").boolean(probe.met).close_object();
  }
  json.close_array().key("validations").open_array();
  for (const ValidationRecord& validation : record.validations) {
    json.open_object();
    write_inside(json, validation.run);
    json.bytes("result", validation.result).words("files", validation.files);
    if (!validation.before.empty())
      json.bytes("before", validation.before).bytes("before_said", validation.before_said);
    json.close_object();
  }
  json.close_array();
}

void read_expectations(JsonReader& json, RunRecord& record) {
  json.each("expectations", [&](const nlohmann::json& item, const std::string& where) {
    JsonReader reader = json.item(item, where);
    verdict::Expectation row;
    row.what = reader.bytes("what");
    row.wanted = reader.bytes("wanted");
    row.got = reader.bytes("got");
    row.met = reader.boolean("met");
    record.expectations.push_back(std::move(row));
  });
  json.each("probes", [&](const nlohmann::json& item, const std::string& where) {
    JsonReader reader = json.item(item, where);
    ProbeRecord probe;
    probe.run = read_inside(reader);
    probe.expected_exit = reader.integer<int>("expected_exit");
    probe.met = reader.boolean("met");
    record.probes.push_back(std::move(probe));
  });
  json.each("validations", [&](const nlohmann::json& item, const std::string& where) {
    JsonReader reader = json.item(item, where);
    ValidationRecord validation;
    validation.run = read_inside(reader);
    validation.result = reader.bytes("result");
    validation.files = reader.words("files");
    validation.before = reader.bytes("before");
    validation.before_said = reader.bytes("before_said");
    record.validations.push_back(std::move(validation));
  });
}

}  // namespace rehearse::report
