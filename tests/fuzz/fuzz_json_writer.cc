// The JSON writer against a reader that is not ours: any document of any strings means what it was meant to.
#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "base/json_writer.h"
#include "fuzz.h"

using namespace rehearse;
using Json = nlohmann::json;

namespace {

/// Writes a value and returns what it should read as.
Json value(fuzz::Bytes& in, JsonWriter& json, unsigned depth) {
  switch (in.below(depth < 6 ? 9U : 7U)) {
    case 0:
      json.null();
      return nullptr;
    case 1: {
      const bool flag = in.flag();
      json.boolean(flag);
      return flag;
    }
    case 2: {
      const std::uint64_t number = in.number();
      json.integer(number);
      return number;
    }
    case 3: {
      const auto number = static_cast<std::int64_t>(in.number());
      json.integer(number);
      return number;
    }
    case 4: {
      const auto ns = static_cast<std::int64_t>(in.number());
      json.seconds(ns);
      return static_cast<double>(static_cast<long double>(ns) / 1e9L);
    }
    case 5:
    case 6: {
      const std::string text = to_utf8_lossy(in.view());
      json.string(text);
      return text;
    }
    case 7: {
      Json array = Json::array();
      json.open_array();
      for (unsigned n = in.below(5); n > 0; --n) array.push_back(value(in, json, depth + 1));
      json.close_array();
      return array;
    }
    default: {
      Json object = Json::object();
      json.open_object();
      for (unsigned n = in.below(5); n > 0; --n) {
        // Numbered: names in one object are the caller's part.
        const std::string name = std::to_string(n) + to_utf8_lossy(in.view());
        if (in.flag()) {
          const std::string_view raw = in.view();
          json.bytes(name, raw);
          object[name] = to_utf8_lossy(raw);
          if (!is_utf8(raw)) object[name + "_b64"] = base64(raw);
        } else {
          json.key(name);
          object[name] = value(in, json, depth + 1);
        }
      }
      json.close_object();
      return object;
    }
  }
}

/// Equal, with numbers of seconds as near as doubles are.
bool alike(const Json& read, const Json& meant) {
  if (meant.is_array() && read.is_array()) {
    return std::equal(read.begin(), read.end(), meant.begin(), meant.end(), alike);
  }
  if (meant.is_object() && read.is_object()) {
    return read.size() == meant.size() &&
           std::all_of(meant.items().begin(), meant.items().end(), [&](const auto& item) {
             return read.contains(item.key()) && alike(read[item.key()], item.value());
           });
  }
  if (meant.is_number_float()) {
    const double a = read.is_number() ? read.get<double>() : 1e300;
    const double b = meant.get<double>();
    return a - b <= 1e-12 * std::max(1.0, b) && b - a <= 1e-12 * std::max(1.0, -b + 2 * std::max(b, 0.0));
  }
  return read == meant;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const auto style : {JsonWriter::Style::kSafe, JsonWriter::Style::kCanonical}) {
    fuzz::Bytes in(data, size);
    std::string text;
    JsonWriter json(text, style);
    const Json meant = value(in, json, 0);
    const Json read = Json::parse(text, nullptr, false);
    FUZZ_REQUIRE(!read.is_discarded());
    FUZZ_REQUIRE(alike(read, meant));
    if (style == JsonWriter::Style::kSafe) FUZZ_REQUIRE(fuzz::is_harmless(text));
  }
  return 0;
}
