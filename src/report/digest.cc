#include "report/digest.h"

#include <algorithm>

#include "base/digest.h"
#include "base/escape.h"
#include "base/json_writer.h"

namespace rehearse::report {
namespace {

/// Raw bytes as a JSON value that no other bytes share.
void value(JsonWriter& json, std::string_view raw) {
  if (is_utf8(raw)) {
    json.string(raw);
  } else {
    json.open_object().key("b64").string(base64(raw)).close_object();
  }
}

void values(JsonWriter& json, const std::vector<std::string>& raw) {
  json.open_array();
  for (const std::string& item : raw) value(json, item);
  json.close_array();
}

void optional_value(JsonWriter& json, const std::optional<std::string>& raw) {
  if (raw) {
    value(json, *raw);
  } else {
    json.null();
  }
}

}  // namespace

// RFC 8785 orders members by name: every object below is written in that order. There are only integers.
std::string canonical_json(const RunRecord& record) {
  std::string text;
  JsonWriter json(text, JsonWriter::Style::kCanonical);
  json.open_object();

  const Action& action = record.action;
  json.key("action").open_object().key("argv");
  values(json, action.argv);
  json.key("cwd");
  value(json, action.cwd);
  auto env = action.env;
  std::sort(env.begin(), env.end());
  json.key("env").open_array();
  for (const auto& [name, content] : env) {
    json.open_array();
    value(json, name);
    value(json, content);
    json.close_array();
  }
  json.close_array();
  if (action.expect) {
    json.key("expect").open_array();
    for (const verdict::Wanted& wanted : action.expect->wanted) {
      json.open_array();
      value(json, wanted.what);
      values(json, wanted.values);
      json.close_array();
    }
    json.close_array();
  }
  json.key("gid").integer(std::uint64_t{action.gid}).key("name");
  optional_value(json, action.name);
  json.key("uid").integer(std::uint64_t{action.uid}).close_object();

  auto gaps = record.gaps;
  std::sort(gaps.begin(), gaps.end(), [](const verdict::Gap& a, const verdict::Gap& b) {
    return std::tie(a.what, a.why, a.cap) < std::tie(b.what, b.why, b.cap);
  });
  json.key("gaps").open_array();
  for (const verdict::Gap& gap : gaps) {
    json.open_object().key("cap").string(verdict::to_string(gap.cap)).key("what");
    value(json, gap.what);
    json.key("why");
    value(json, gap.why);
    json.close_object();
  }
  json.close_array().key("manifest_root").string(to_utf8_lossy(record.manifest_root));

  json.key("mirror").open_object().key("host");
  value(json, record.host_name);
  json.key("kernel");
  value(json, record.host_kernel);
  auto layers = record.layers;
  std::sort(layers.begin(), layers.end(),
            [](const LayerRecord& a, const LayerRecord& b) { return a.mountpoint < b.mountpoint; });
  json.key("layers").open_array();
  for (const LayerRecord& layer : layers) {
    auto aliases = layer.aliases;
    std::sort(aliases.begin(), aliases.end());
    json.open_object().key("aliases");
    values(json, aliases);
    json.key("fstype");
    value(json, layer.fstype);
    json.key("mountpoint");
    value(json, layer.mountpoint);
    json.close_object();
  }
  json.close_array().key("profile");
  value(json, record.profile);
  if (record.read_only && record.read_only->enforced)
    json.key("read_only").string(record.read_only->proved() ? "proved" : "enforced");
  json.close_object();

  if (record.trace) json.key("read_root").string(to_utf8_lossy(record.reads.root));
  json.key("schema").string("rehearse.digest/1").close_object();
  return text;
}

std::string run_digest(const RunRecord& record) {
  return "sha256:" + hex(sha256(canonical_json(record)));
}

}  // namespace rehearse::report
