#include "report/read_text.h"

#include <fmt/format.h>

#include <vector>

#include "base/escape.h"
#include "base/json_writer.h"

namespace rehearse::report {
namespace {

using effects::HostRead;

std::vector<const char*> words(const HostRead& read) {
  constexpr std::pair<std::uint8_t, const char*> kWords[] = {
      {effects::kReadExecuted, "executed"}, {effects::kReadOpened, "opened"},
      {effects::kReadListed, "listed"},     {effects::kReadAttributes, "attributes"},
      {effects::kReadPresent, "present"},   {effects::kReadAbsent, "absent"}};
  std::vector<const char*> found;
  for (const auto& [use, word] : kWords) {
    if ((read.uses & use) != 0) found.push_back(word);
  }
  return found;
}

const char* word(effects::ReadSource source) {
  switch (source) {
    case effects::ReadSource::kNone:
      return "none";
    case effects::ReadSource::kKernel:
      return "kernel";
    case effects::ReadSource::kCaller:
      return "caller";
    case effects::ReadSource::kHost:
      return "host";
  }
  return "";
}

}  // namespace

std::string read_line(const HostRead& read) {
  return fmt::format("{:<24} {}{}", fmt::format("{}", fmt::join(words(read), ",")),
                     escape_text(read.path, 4096), read.moved ? "  CHANGED ON THE HOST MEANWHILE" : "");
}

std::string read_json(const HostRead& read) {
  std::string text;
  JsonWriter json(text);
  json.open_object()
      .key("schema")
      .string("rehearse.read/1")
      .bytes("path", read.path)
      .key("uses")
      .open_array();
  for (const char* use : words(read)) json.string(use);
  json.close_array().key("link").boolean(read.link).key("moved").boolean(read.moved);
  json.key("source").string(word(read.source));
  if (read.source != effects::ReadSource::kNone) {
    const effects::ReadIdentity& seen = read.identity;
    json.key("dev");
    if (seen.dev != 0)
      json.integer(seen.dev);
    else
      json.null();
    json.key("ino").integer(seen.ino).key("gen");
    if (seen.generation)
      json.integer(std::uint64_t{*seen.generation});
    else
      json.null();
    json.key("ctime_ns").integer(seen.ctime_ns).key("size").integer(seen.size);
    json.key("mode").string(fmt::format("{:06o}", seen.mode));
  }
  if (read.sha256) json.key("sha256").string(hex(*read.sha256));
  json.close_object();
  return text;
}

}  // namespace rehearse::report
