#include "base/escape.h"
#include "base/json_writer.h"
#include "report/attributes.h"
#include "report/json.h"

namespace rehearse::report {
namespace {

template <class Value>
void optional_number(JsonWriter& json, std::string_view name, const std::optional<Value>& value) {
  json.key(name);
  if (value) {
    json.integer(*value);
  } else {
    json.null();
  }
}

void optional_string(JsonWriter& json, std::string_view name, const std::optional<std::string>& value) {
  json.key(name);
  if (value) {
    json.string(*value);
  } else {
    json.null();
  }
}

void extended(JsonWriter& json, const std::map<std::string, std::string>& xattrs) {
  bool exact = true;
  json.key("xattrs").open_object();
  for (const auto& [name, value] : xattrs) {
    if (is_utf8(name)) {
      json.key(name).string(base64(value));
    } else {
      exact = false;
    }
  }
  json.close_object();
  if (exact) return;
  json.key("xattrs_b64").open_array();  // [name, value] of those whose name is not UTF-8
  for (const auto& [name, value] : xattrs) {
    if (!is_utf8(name)) json.open_array().string(base64(name)).string(base64(value)).close_array();
  }
  json.close_array();
}

void object(JsonWriter& json, std::string_view name, const std::optional<effects::Attributes>& attributes) {
  json.key(name);
  if (!attributes) {
    json.null();
    return;
  }
  const effects::Attributes& a = *attributes;
  json.open_object().key("dev").integer(a.dev).key("ino").integer(a.ino);
  optional_number(json, "gen", a.generation);
  json.key("ctime_ns").integer(a.ctime_ns).key("mtime_ns").integer(a.mtime_ns);
  json.key("mode").string(mode_text(a.mode));
  json.key("uid").integer(std::uint64_t{a.uid}).key("gid").integer(std::uint64_t{a.gid});
  json.key("size").integer(a.size).key("blocks").integer(a.blocks).key("nlink").integer(a.nlink);
  optional_number(json, "link_group", a.link_group);
  if (a.target.empty()) {
    json.key("target").null();
  } else {
    json.bytes("target", a.target);
  }
  optional_number(json, "rdev", a.rdev != 0 ? std::optional(a.rdev) : std::nullopt);
  optional_string(json, "sha256", a.sha256 && !a.sparse ? std::optional(hex(*a.sha256)) : std::nullopt);
  if (a.sha256 && a.sparse) json.key("sparse_sha256").string(hex(*a.sha256));
  extended(json, a.xattrs);
  optional_string(json, "acl", acl_of(a.xattrs));
  optional_string(json, "caps", caps_of(a.xattrs));
  json.key("flags").integer(std::uint64_t{a.flags}).close_object();
}

}  // namespace

std::string to_json(const effects::Change& change) {
  std::string text;
  JsonWriter json(text);
  json.open_object().bytes("path", change.path).key("change").string(to_string(change.kind));
  json.key("also").open_array();
  for (const std::string& also : change.also) json.string(to_utf8_lossy(also));
  json.close_array().key("type").string(to_string(change.type));
  if (!change.from.empty()) json.bytes("from", change.from);
  object(json, "before", change.before);
  object(json, "after", change.after);
  if (change.package.empty()) {
    json.key("package").null();
  } else {
    json.bytes("package", change.package);
  }
  json.key("layer").integer(std::uint64_t{change.layer});
  json.key("masked").boolean(change.masked).key("base_moved").boolean(change.base_moved);
  json.close_object();
  return text;
}

}  // namespace rehearse::report
