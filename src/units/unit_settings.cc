#include "units/unit_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "units/type_properties.h"
#include "units/unit_name.h"

namespace rehearse::units {
namespace {

constexpr std::uint64_t kInfinity = std::numeric_limits<std::uint64_t>::max();
constexpr std::string_view kBlank = " \t";
constexpr std::size_t kMaxWords = 256;

/// extract_first_word() with quotes; backslashes stay before what is no quote, blank or backslash.
std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool begun = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size() && words.size() < kMaxWords; ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      const char next = text[++i];
      if (std::string_view("\\\"' \t").find(next) == std::string_view::npos) word += c;
      word += next;
      begun = true;
    } else if (quote != 0 ? c == quote : c == '"' || c == '\'') {
      quote = quote != 0 ? '\0' : c;
      begun = true;
    } else if (quote == 0 && kBlank.find(c) != std::string_view::npos) {
      if (begun) words.push_back(std::exchange(word, {}));
      begun = false;
    } else {
      word += c;
      begun = true;
    }
  }
  if (begun && words.size() < kMaxWords) words.push_back(std::move(word));
  return words;
}

std::optional<bool> parse_boolean(std::string_view text) {
  for (const char* yes : {"1", "yes", "y", "true", "t", "on"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"0", "no", "n", "false", "f", "off"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::optional<std::int64_t> parse_number(std::string_view text, int base = 10) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// "10", "1.5G", "infinity": powers of 1024.
std::optional<std::uint64_t> parse_size(std::string_view text) {
  if (text == "infinity") return kInfinity;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  const std::string_view unit = trim(text.substr(static_cast<std::size_t>(end - text.data())), kBlank);
  constexpr std::string_view kUnits = "BKMGTPE";
  const std::size_t power = unit.empty() ? 0 : kUnits.find(unit.front());
  if (unit.size() > 1 || power == std::string_view::npos) return std::nullopt;
  for (std::size_t i = 0; i < power; ++i) number *= 1024;
  if (number >= 1.8e19) return std::nullopt;
  return static_cast<std::uint64_t>(number);
}

std::optional<std::int64_t> parse_signal(std::string_view text) {
  if (text.starts_with("SIG")) text.remove_prefix(3);
  if (const auto number = parse_number(text)) return number;
  for (int number = 1; number < 32; ++number) {
    const char* name = ::sigabbrev_np(number);
    if (name != nullptr && text == name) return number;
  }
  return std::nullopt;
}

/// Properties in the making: what is set again replaces or continues what was.
class Builder {
 public:
  explicit Builder(std::string_view interface) : interface_(interface) {}

  [[nodiscard]] const KnownProperty* known(std::string_view name) const {
    const KnownProperty* found = known_property(interface_, name);
    return found != nullptr && found->setting ? found : nullptr;
  }
  void put(Property property) {
    const auto old = find(property.name);
    old == made_.end() ? made_.push_back(std::move(property)) : void(*old = std::move(property));
  }
  void put_unknown(std::string_view name) { put({std::string(name), "", ""}); }
  void put_number(const KnownProperty& to, std::optional<std::uint64_t> value) {
    if (!value) return put_unknown(to.name);
    DbusWriter out;
    to.signature == "t" || to.signature == "x" ? out.uint64(*value)
                                               : out.uint32(static_cast<std::uint32_t>(*value));
    put({std::string(to.name), std::string(to.signature), out.take()});
  }
  void forget(std::string_view name) {
    std::erase_if(made_, [&](const Property& made) { return made.name == name; });
  }

  void add_words(const KnownProperty& to, std::string_view value) {
    std::vector<std::string> words;
    if (const auto old = find(to.name); old != made_.end()) words = as_names(*old);
    if (value.empty()) words.clear();
    for (std::string& word : split_words(value)) {
      if (words.size() < kMaxWords) words.push_back(std::move(word));
    }
    put(names_property(std::string(to.name), words));
  }

  /// Adds to an array one element that `write` writes behind its alignment.
  template <class Write>
  void append(const KnownProperty& to, Write write) {
    const auto old = find(to.name);
    DbusWriter out;
    const DbusWriter::Array array = out.open_array('(');
    if (old != made_.end() && !old->signature.empty()) {
      DbusReader reader(old->value, old->signature);
      reader.enter_array(std::string_view(old->signature).substr(1));
      while (reader.more()) {
        DbusWriter one;
        reader.copy(one);
        DbusReader(one.data(), std::string_view(old->signature).substr(1)).copy(out);
      }
    }
    write(out.open_struct());
    out.close_array(array);
    if (out.data().size() <= kMaxSettingsBytes)
      put({std::string(to.name), std::string(to.signature), out.take()});
  }

  std::vector<Property> take() { return std::move(made_); }

 private:
  std::vector<Property>::iterator find(std::string_view name) {
    return std::find_if(made_.begin(), made_.end(), [&](const Property& made) { return made.name == name; });
  }

  std::string_view interface_;
  std::vector<Property> made_;
};

/// ExecStart= and the like: the property and its newer form with flags.
void add_command(Builder& builder, const std::string& key, std::string_view value) {
  const KnownProperty* plain = builder.known(key);
  const KnownProperty* extended = builder.known(key + "Ex");
  if (value.empty()) {
    builder.forget(key);
    builder.forget(key + "Ex");
    return;
  }
  bool ignores = false;
  std::vector<std::string> flags;
  bool own_name = false;
  for (; !value.empty() && std::string_view("-@:+!").find(value.front()) != std::string_view::npos;
       value.remove_prefix(1)) {
    ignores = ignores || value.front() == '-';
    own_name = own_name || value.front() == '@';
    if (value.front() == '-') flags.emplace_back("ignore-failure");
    if (value.front() == '+') flags.emplace_back("privileged");
    if (value.front() == ':') flags.emplace_back("no-env-expand");
  }
  std::vector<std::string> words = split_words(value);
  if (words.empty()) return;
  const std::string path = words.front();
  if (own_name) words.erase(words.begin());
  const auto rest = [](DbusWriter& out) {
    for (int i = 0; i < 4; ++i) out.uint64(0);
    out.uint32(0).int32(0).int32(0);
  };
  if (plain != nullptr)
    builder.append(*plain, [&](DbusWriter& out) { rest(out.string(path).strings(words).boolean(ignores)); });
  if (extended != nullptr)
    builder.append(*extended, [&](DbusWriter& out) { rest(out.string(path).strings(words).strings(flags)); });
}

/// Settings that say something else than one property of their name. False: none of them.
bool add_special(Builder& builder, const std::string& key, std::string_view value) {
  const auto known = [&](std::string_view name) { return builder.known(name); };
  if (key.starts_with("Exec") && known(key) != nullptr && known(key)->signature == "a(sasbttttuii)") {
    add_command(builder, key, value);
    return true;
  }
  if (key == "EnvironmentFile" && known("EnvironmentFiles") != nullptr) {
    if (value.empty()) return builder.forget("EnvironmentFiles"), true;
    const bool optional = value.starts_with('-');
    builder.append(*known("EnvironmentFiles"),
                   [&](DbusWriter& out) { out.string(value.substr(optional ? 1 : 0)).boolean(optional); });
    return true;
  }
  if (const KnownProperty* timers = known("TimersMonotonic");
      timers != nullptr && key.starts_with("On") && key.ends_with("Sec")) {
    if (value.empty()) return builder.forget("TimersMonotonic"), true;
    const auto time = parse_timespan(value);
    if (time) {
      builder.append(*timers, [&](DbusWriter& out) {
        out.string(key.substr(0, key.size() - 3) + "USec").uint64(*time).uint64(0);
      });
    }
    return true;
  }
  if (const KnownProperty* calendar = known("TimersCalendar"); calendar != nullptr && key == "OnCalendar") {
    if (value.empty()) return builder.forget("TimersCalendar"), true;
    builder.append(*calendar, [&](DbusWriter& out) { out.string(key).string(value).uint64(0); });
    return true;
  }
  if (const KnownProperty* listen = known("Listen"); listen != nullptr && key.starts_with("Listen")) {
    if (value.empty()) return builder.forget("Listen"), true;
    const std::string address = parse_number(value) ? "[::]:" + std::string(value) : std::string(value);
    builder.append(*listen, [&](DbusWriter& out) { out.string(key.substr(6)).string(address); });
    return true;
  }
  if (const KnownProperty* paths = known("Paths");
      paths != nullptr && (key.starts_with("Path") || key == "DirectoryNotEmpty")) {
    if (value.empty()) return builder.forget("Paths"), true;
    builder.append(*paths, [&](DbusWriter& out) { out.string(key).string(value); });
    return true;
  }
  if (key == "CPUQuota" && known("CPUQuotaPerSecUSec") != nullptr) {
    const bool percent = value.ends_with('%');
    const auto number = parse_number(value.substr(0, value.size() - (percent ? 1 : 0)));
    builder.put_number(*known("CPUQuotaPerSecUSec"),
                       value.empty() ? std::optional(kInfinity)
                       : percent && number && *number > 0 && *number < 10'000'000
                           ? std::optional(static_cast<std::uint64_t>(*number) * 10'000)
                           : std::nullopt);
    return true;
  }
  if (key == "TimeoutSec" && known("TimeoutStartUSec") != nullptr) {
    for (const char* name : {"TimeoutStartUSec", "TimeoutStopUSec"})
      builder.put_number(*known(name), parse_timespan(value));
    return true;
  }
  if (key.starts_with("Limit") && known(key + "Soft") != nullptr) {
    const std::size_t colon = value.find(':');
    const bool plain = key != "LimitCPU" && key != "LimitRTTIME" && key != "LimitNICE";
    const auto number = [&](std::string_view text) { return plain ? parse_size(text) : std::nullopt; };
    builder.put_number(*known(key + "Soft"), number(value.substr(0, colon)));
    builder.put_number(*known(key),
                       number(colon == std::string_view::npos ? value : value.substr(colon + 1)));
    return true;
  }
  return false;
}

void add_plain(Builder& builder, const KnownProperty& to, std::string_view value) {
  const std::string name(to.name);
  const auto signed_number = [&](std::optional<std::int64_t> number) {
    builder.put_number(to, number ? std::optional(static_cast<std::uint64_t>(*number)) : std::nullopt);
  };
  if (to.signature == "as") return builder.add_words(to, value);
  if (value.empty()) return builder.forget(to.name);
  if (to.signature == "s") {
    const auto as_boolean = to.name.starts_with("Protect") ? parse_boolean(value) : std::nullopt;
    if (as_boolean) return builder.put(text_property(name, *as_boolean ? "yes" : "no"));
    if (to.name == "WorkingDirectory" && value.front() == '-')
      return builder.put(text_property(name, "!" + std::string(value.substr(1))));
    return builder.put(text_property(name, value));
  }
  if (to.signature == "b") {
    if (const auto truth = parse_boolean(value)) builder.put(boolean_property(name, *truth));
    return;
  }
  const bool mode = to.name == "UMask" || to.name.ends_with("Mode");
  if (to.signature == "u") return signed_number(parse_number(value, mode ? 8 : 10));
  if (to.signature == "i")
    return signed_number(to.name.ends_with("Signal") ? parse_signal(value) : parse_number(value));
  if (to.signature == "t")
    return builder.put_number(to, to.name.ends_with("USec") ? parse_timespan(value) : parse_size(value));
  builder.put_unknown(to.name);
}

}  // namespace

std::optional<std::uint64_t> parse_timespan(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 29> kUnits = {{
      {"", 1e6},
      {"s", 1e6},
      {"sec", 1e6},
      {"second", 1e6},
      {"seconds", 1e6},
      {"m", 60e6},
      {"min", 60e6},
      {"minute", 60e6},
      {"minutes", 60e6},
      {"h", 3600e6},
      {"hr", 3600e6},
      {"hour", 3600e6},
      {"hours", 3600e6},
      {"d", 86400e6},
      {"day", 86400e6},
      {"days", 86400e6},
      {"w", 604800e6},
      {"week", 604800e6},
      {"weeks", 604800e6},
      {"ms", 1e3},
      {"msec", 1e3},
      {"us", 1},
      {"usec", 1},
      {"M", 2629800e6},
      {"month", 2629800e6},
      {"months", 2629800e6},
      {"y", 31557600e6},
      {"year", 31557600e6},
      {"years", 31557600e6},
  }};
  text = trim(text, kBlank);
  if (text == "infinity") return kInfinity;
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || number < 0) return std::nullopt;
    text = trim(text.substr(static_cast<std::size_t>(end - text.data())), kBlank);
    std::size_t size = 0;
    while (size < text.size() && ((text[size] >= 'a' && text[size] <= 'z') || text[size] == 'M')) ++size;
    const std::string_view unit = text.substr(0, size);
    const auto* found =
        std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& one) { return one.first == unit; });
    if (found == kUnits.end()) return std::nullopt;
    total += number * found->second;
    text = trim(text.substr(size), kBlank);
  }
  if (total >= 1.8e19) return std::nullopt;
  return static_cast<std::uint64_t>(total);
}

std::vector<Property> properties_of(const UnitFile& file, std::string_view interface) {
  Builder builder(interface);
  const std::string_view own = interface.substr(interface.rfind('.') + 1);
  for (const Setting& setting : file.settings) {
    if (setting.section != own) continue;
    if (add_special(builder, setting.key, setting.value)) continue;
    const KnownProperty* to = builder.known(setting.key);
    if (to == nullptr && setting.key.ends_with("Sec"))
      to = builder.known(setting.key.substr(0, setting.key.size() - 3) + "USec");
    if (to != nullptr) add_plain(builder, *to, setting.value);
  }
  return builder.take();
}

std::string triggered_unit(const UnitFile& file) {
  const std::string_view type = unit_type(file.id);
  const bool mount = type == "automount";
  if (!mount && type != "timer" && type != "socket" && type != "path") return {};
  std::string unit = file.id.substr(0, file.id.rfind('.')) + (mount ? ".mount" : ".service");
  for (const Setting& setting : file.settings) {
    if (type == "socket" && setting.section == "Socket") {
      if (setting.key == "Service" && is_unit_name(setting.value)) unit = setting.value;
      // Each connection has an instance of its own.
      if (setting.key == "Accept" && parse_boolean(setting.value).value_or(false)) return {};
    } else if ((setting.section == "Timer" || setting.section == "Path") && setting.key == "Unit" &&
               is_unit_name(setting.value)) {
      unit = setting.value;
    }
  }
  return unit;
}

}  // namespace rehearse::units
