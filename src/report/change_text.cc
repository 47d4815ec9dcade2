#include "report/change_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/clock.h"
#include "base/escape.h"
#include "base/units.h"
#include "effects/attributes.h"
#include "report/attributes.h"

namespace rehearse::report {
namespace {

using effects::Attributes;
using effects::Change;
using effects::ChangeKind;
using effects::FileType;

constexpr std::size_t kNameLimit = 256;

bool is_special_xattr(std::string_view name) {
  return name == "system.posix_acl_access" || name == "system.posix_acl_default" ||
         name == "security.capability";
}

std::string arrow(const std::string& before, const std::string& after) {
  return before + "→" + after;
}

void compare_xattrs(const Attributes& before, const Attributes& after, std::vector<std::string>& out) {
  std::string text;
  const auto name = [&](char sign, const std::string& key) {
    text += ' ';
    text += sign;
    text += escape_text(key, kNameLimit);
  };
  for (const auto& [key, value] : before.xattrs) {
    if (is_special_xattr(key)) continue;
    const auto found = after.xattrs.find(key);
    if (found == after.xattrs.end()) {
      name('-', key);
    } else if (found->second != value) {
      name('~', key);
    }
  }
  for (const auto& [key, value] : after.xattrs) {
    if (!is_special_xattr(key) && !before.xattrs.contains(key)) name('+', key);
  }
  if (!text.empty()) out.push_back("xattrs" + text);
}

bool says(const Change& change, std::string_view word) {
  return std::ranges::find(change.also, word) != change.also.end();
}

std::string device(const Attributes& a) {
  return fmt::format("{}:{}", (a.rdev >> 8U & 0xfffU) | (a.rdev >> 32U & ~std::uint64_t{0xfff}),
                     (a.rdev & 0xffU) | (a.rdev >> 12U & 0xffffff00U));
}

void describe_created(const Change& change, const Attributes& after, std::vector<std::string>& out) {
  switch (change.type) {
    case FileType::kFile:
      out.push_back(format_bytes(after.size));
      break;
    case FileType::kSymlink:
      out.push_back("→ " + escape_text(after.target));
      break;
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      out.push_back(fmt::format("{} device {}", change.type == FileType::kCharDevice ? "char" : "block",
                                device(after)));
      break;
    default:
      out.emplace_back(to_string(change.type));
  }
  if ((after.mode & 06000U) != 0 && change.type == FileType::kFile)
    out.push_back("mode " + mode_text(after.mode));
  if (const auto caps = caps_of(after.xattrs)) out.push_back("caps " + *caps);
}

}  // namespace

const char* mark(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kType:
      return "t";
    case ChangeKind::kCreated:
      return "+";
    case ChangeKind::kDeleted:
      return "−";
    case ChangeKind::kRenamed:
      return ">";
    case ChangeKind::kModified:
      return "~";
    case ChangeKind::kMetadata:
      return "m";
    case ChangeKind::kIdentical:
      return "=";
  }
  return "?";
}

std::vector<std::string> metadata_differences(const Attributes& before, const Attributes& after) {
  std::vector<std::string> out;
  if (before.mode != after.mode)
    out.push_back("mode " + arrow(mode_text(before.mode), mode_text(after.mode)));
  if (before.uid != after.uid || before.gid != after.gid) {
    out.push_back("owner " + arrow(fmt::format("{}:{}", before.uid, before.gid),
                                   fmt::format("{}:{}", after.uid, after.gid)));
  }
  const auto texts = [&](const char* what, const std::optional<std::string>& a,
                         const std::optional<std::string>& b) {
    if (a != b) out.push_back(std::string(what) + " " + arrow(a.value_or("none"), b.value_or("none")));
  };
  texts("acl", acl_of(before.xattrs), acl_of(after.xattrs));
  texts("caps", caps_of(before.xattrs), caps_of(after.xattrs));
  const std::uint32_t old_flags = effects::compared_flags(before);
  const std::uint32_t flags = effects::compared_flags(after);
  if (old_flags != flags) out.push_back(fmt::format("flags {:#x}→{:#x}", old_flags, flags));
  compare_xattrs(before, after, out);
  return out;
}

bool is_noise(const Change& change) {
  return change.kind == ChangeKind::kIdentical && !change.masked && !gained_link(change) &&
         (!change.base_moved || effects::is_others_time(change));
}

std::optional<std::string> set_time(const Change& change) {
  if (change.kind != ChangeKind::kMetadata || !change.before || !change.after || !says(change, "mtime"))
    return std::nullopt;
  return "time " + arrow(rfc3339(change.before->mtime_ns), rfc3339(change.after->mtime_ns));
}

std::optional<std::string> allocation(const Change& change) {
  if (!change.before || !change.after || !says(change, "blocks")) return std::nullopt;
  return "allocated " +
         arrow(format_bytes(change.before->blocks * 512), format_bytes(change.after->blocks * 512));
}

bool is_destructive(const Change& change) {
  if (change.kind == ChangeKind::kDeleted || change.kind == ChangeKind::kType) return true;
  return change.kind == ChangeKind::kRenamed &&
         std::any_of(change.also.begin(), change.also.end(), [](const std::string& also) {
           return also == "overwrote" || also == "replaced" || also == "deleted";
         });
}

std::string details(const Change& change, const LinkNames& links) {
  std::vector<std::string> parts;
  if (std::string link = links.text(change); !link.empty()) parts.push_back(std::move(link));
  switch (change.kind) {
    case ChangeKind::kCreated:
      if (change.after) describe_created(change, *change.after, parts);
      break;
    case ChangeKind::kDeleted:
      if (change.type != FileType::kFile) {
        parts.emplace_back(to_string(change.type));
      } else if (change.before) {
        parts.push_back(format_bytes(change.before->size));
      }
      break;
    case ChangeKind::kType:
      parts.push_back(std::string("now a ") + to_string(change.type));
      if (change.type == FileType::kSymlink && change.after)
        parts.push_back("→ " + escape_text(change.after->target));
      break;
    default:
      if (change.before && change.after) {
        const Attributes& a = *change.before;
        const Attributes& b = *change.after;
        if (a.sha256 != b.sha256 || a.size != b.size) {
          if (change.type == FileType::kFile)
            parts.push_back(format_bytes(a.size) + " → " + format_bytes(b.size));
        }
        if (a.target != b.target) parts.push_back(escape_text(a.target) + " → " + escape_text(b.target));
        if (a.rdev != b.rdev) parts.push_back("device " + arrow(device(a), device(b)));
        auto differences = metadata_differences(a, b);
        std::move(differences.begin(), differences.end(), std::back_inserter(parts));
        if (auto time = set_time(change)) parts.push_back(std::move(*time));
        if (auto bytes = allocation(change)) parts.push_back(std::move(*bytes));
        if (change.kind == ChangeKind::kMetadata && says(change, "replaced")) parts.emplace_back("made anew");
      }
  }
  if (change.kind == ChangeKind::kRenamed && is_destructive(change))
    parts.emplace_back("over an existing one");
  if (change.masked) parts.emplace_back("a masked file's: never promoted");
  if (change.base_moved) parts.emplace_back("the host's own has changed meanwhile");
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += ", ";
    text += part;
  }
  return text;
}

}  // namespace rehearse::report
