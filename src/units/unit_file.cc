#include "units/unit_file.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/ascii.h"
#include "units/unit_name.h"

namespace rehearse::units {
namespace {

constexpr std::size_t kMaxNames = 64;
constexpr std::size_t kMaxText = 4096;
constexpr std::string_view kBlank = " \t\r";

/// The next line without its end.
std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

bool is_comment(std::string_view line) {
  return line.empty() || line[0] == '#' || line[0] == ';';
}

/// A line with those that continue it; comments between them are passed over.
std::string next_setting(std::string_view& text) {
  std::string setting(trim(next_line(text), kBlank));
  while (setting.ends_with('\\') && !is_comment(setting) && !text.empty()) {
    setting.back() = ' ';
    std::string_view more = trim(next_line(text), kBlank);
    while (!more.empty() && is_comment(more) && !text.empty()) more = trim(next_line(text), kBlank);
    if (!is_comment(more)) setting += more;
  }
  return setting;
}

bool is_true(std::string_view value) {
  return value == "1" || value == "yes" || value == "y" || value == "true" || value == "t" || value == "on";
}

std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view code = text.substr(i, 4);
    const auto digit = [&](char c) {
      return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    if (code.size() == 4 && code.starts_with("\\x") && digit(code[2]) >= 0 && digit(code[3]) >= 0) {
      plain += static_cast<char>(digit(code[2]) * 16 + digit(code[3]));
      i += 3;
    } else {
      plain += text[i] == '-' ? '/' : text[i];
    }
  }
  return plain;
}

/// The specifiers of systemd.unit(5) that depend on nothing but the name; others stay as they are.
std::string with_specifiers(std::string_view text, std::string_view id) {
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() < kMaxText; ++i) {
    if (text[i] != '%' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    switch (text[++i]) {
      case '%':
        out += '%';
        break;
      case 'n':
        out += id;
        break;
      case 'N':
        out += id.substr(0, id.rfind('.'));
        break;
      case 'i':
        out += instance_of(id);
        break;
      case 'I':
        out += unescaped(instance_of(id));
        break;
      case 'p':
        out += prefix_of(id);
        break;
      case 'P':
        out += unescaped(prefix_of(id));
        break;
      default:
        (out += '%') += text[i];
    }
  }
  return out;
}

std::string_view next_word(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_of(kBlank), text.size());
  const std::string_view word = text.substr(0, end);
  text = trim(text.substr(end), kBlank);
  return word;
}

/// Names of a list; an empty value empties it.
void add_names(std::vector<std::string>& names, std::string_view value, std::string_view id) {
  if (value.empty()) names.clear();
  while (!value.empty() && names.size() < kMaxNames) {
    std::string name = with_specifiers(next_word(value), id);
    if (is_unit_name(name) && !is_template(name)) names.push_back(std::move(name));
  }
}

void apply_unit_setting(UnitFile& unit, std::string_view key, std::string_view value) {
  if (key == "Description") {
    unit.description = with_specifiers(value, unit.id);
  } else if (key == "Documentation") {
    if (value.empty()) unit.documentation.clear();
    while (!value.empty() && unit.documentation.size() < kMaxNames)
      unit.documentation.emplace_back(next_word(value).substr(0, kMaxText));
  } else if (key == "RefuseManualStart") {
    unit.refuse_manual_start = is_true(value);
  } else if (key == "RefuseManualStop") {
    unit.refuse_manual_stop = is_true(value);
  } else if (key == "AllowIsolate") {
    unit.allow_isolate = is_true(value);
  } else if (key == "DefaultDependencies") {
    unit.default_dependencies = is_true(value);
  } else if (key == "Wants" || key == "Upholds") {
    add_names(unit.wanted, value, unit.id);
  } else if (key == "Requisite") {
    add_names(unit.requisite, value, unit.id);
  } else if (key == "Conflicts") {
    add_names(unit.conflicts, value, unit.id);
  }
  if (key == "Requires" || key == "BindsTo") add_names(unit.required, value, unit.id);
  if (key == "Requires" || key == "BindsTo" || key == "Requisite" || key == "PartOf" ||
      key == "StopPropagatedFrom") {
    add_names(unit.stopped_with, value, unit.id);
  }
}

void keep(UnitFile& unit, std::string_view section, std::string_view key, std::string_view value) {
  unit.settings_cut = unit.settings_cut || unit.settings.size() >= kMaxSettings;
  if (unit.settings_cut) return;
  Setting setting{std::string(section), std::string(key), with_specifiers(value, unit.id)};
  const std::size_t bytes = section.size() + key.size() + setting.value.size();
  unit.settings_cut = unit.settings_bytes + bytes > kMaxSettingsBytes;
  if (unit.settings_cut) return;
  unit.settings_bytes += bytes;
  unit.settings.push_back(std::move(setting));
}

}  // namespace

void apply_unit_file(UnitFile& unit, std::string_view text) {
  std::string section;
  while (!text.empty()) {
    const std::string setting = next_setting(text);
    if (is_comment(setting)) continue;
    if (setting.front() == '[') {
      section = setting.ends_with(']') ? setting.substr(1, setting.size() - 2) : std::string();
      continue;
    }
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) continue;
    const std::string_view key = trim(std::string_view(setting).substr(0, equals), kBlank);
    const std::string_view value = trim(std::string_view(setting).substr(equals + 1), kBlank);
    keep(unit, section, key, value);
    if (section == "Install" && key == "Alias") {
      add_names(unit.aliases, value, unit.id);
      unit.aliases.resize(std::min(unit.aliases.size(), kMaxInstallAliases));
    }
    if (section == "Unit") {
      apply_unit_setting(unit, key, value);
    } else if ((section == "Service" || section == "Socket") && key == "Slice") {
      unit.slice = is_unit_name(value) ? value : std::string_view();
    } else if (section == "Service" && key == "Type") {
      unit.type = value.substr(0, kMaxText);
    } else if (section == "Service" && key == "RemainAfterExit") {
      unit.remain_after_exit = is_true(value);
    } else if (section == "Service" && key == "ExecReload") {
      unit.can_reload = !value.empty();
    }
  }
  if (unit.type == "notify-reload") unit.can_reload = true;
}

std::string_view service_type(const UnitFile& unit) {
  // Another word is passed over.
  for (const std::string_view type :
       {"simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"}) {
    if (unit.type == type) return unit.type;
  }
  const auto says = [&](std::string_view key) {
    return std::any_of(unit.settings.begin(), unit.settings.end(), [&](const Setting& setting) {
      return setting.section == "Service" && setting.key == key && !setting.value.empty();
    });
  };
  return says("BusName") ? "dbus" : says("ExecStart") ? "simple" : "oneshot";
}

void add_default_dependencies(UnitFile& unit) {
  const std::string_view type = unit_type(unit.id);
  if (type != "service" && type != "socket" && type != "timer" && type != "path") return;
  if (unit.default_dependencies) {
    unit.required.emplace_back("sysinit.target");
    unit.conflicts.emplace_back("shutdown.target");
  }
  if (type != "service" && type != "socket") return;
  // Instances lie together in a slice of their own.
  std::string slice = unit.slice.empty() ? "system.slice" : unit.slice;
  if (unit.slice.empty() && !template_of(unit.id).empty()) {
    std::string escaped;
    for (const char c : prefix_of(unit.id)) {
      if (c == '-') {
        escaped += "\\x2d";
      } else {
        escaped += c;
      }
    }
    slice = fmt::format("system-{}.slice", escaped);
  }
  unit.required.push_back(slice);
  unit.slice = slice;
  unit.stopped_with.push_back(std::move(slice));
}

}  // namespace rehearse::units
