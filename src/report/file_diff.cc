#include "report/file_diff.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <limits.h>

#include <algorithm>
#include <cerrno>

#include "base/escape.h"
#include "base/sys.h"
#include "base/units.h"
#include "effects/directory.h"
#include "report/attributes.h"
#include "report/change_text.h"
#include "report/text_diff.h"

namespace rehearse::report {
namespace {

using effects::Attributes;
using effects::Change;
using effects::ChangeKind;
using effects::FileType;

constexpr const char* kDamaged = "the kept file is gone or is not the recorded one";
constexpr std::string_view kNoNewline = "\\ No newline at end of file";

std::string side_text(const std::optional<Attributes>& attributes) {
  if (!attributes) return "nothing";
  std::string text = format_bytes(attributes->size);
  if (attributes->sha256)
    text += (attributes->sparse ? " sparse sha256:" : " sha256:") + hex(*attributes->sha256);
  return text;
}

/// The content, checked against the record. An error is a finished note.
Result<std::string> read_side(Result<UniqueFd> file, const Attributes& recorded, const char* name,
                              const char* differs) {
  if (recorded.sparse) return fail(std::string("the ") + name + " file is mostly hole");
  if (!recorded.sha256) return fail(std::string("no digest of the ") + name + " file was recorded");
  if (!file)
    return fail(file.error().err == ENOENT
                    ? std::string(differs)
                    : std::string("cannot read the ") + name + " file: " + file.error().what);
  auto content = sys::read_all(file->get(), kMaxDiffBytes);
  if (!content && content.error().exit == ExitCode::kDataError)
    return fail(differs);  // it was smaller when recorded
  if (!content) return fail(std::string("cannot read the ") + name + " file: " + content.error().what);
  if (sha256(*content) != *recorded.sha256) return fail(differs);
  return content;
}

bool is_file_content(const Change& change) {
  switch (change.kind) {
    case ChangeKind::kCreated:
      return change.type == FileType::kFile && change.after;
    case ChangeKind::kDeleted:
      return change.type == FileType::kFile && change.before;
    case ChangeKind::kModified:
    case ChangeKind::kRenamed:
      return change.type == FileType::kFile && change.before && change.after &&
             change.before->sha256 != change.after->sha256;
    case ChangeKind::kType:
      return (change.before && change.before->sha256) || (change.after && change.after->sha256);
    default:
      return false;
  }
}

/// A record says of one type only which it is: of another kind of object there is no digest.
bool was_file(const Change& change) {
  if (change.kind == ChangeKind::kCreated || !change.before) return false;
  return change.kind == ChangeKind::kType ? change.before->sha256.has_value()
                                          : change.type == FileType::kFile;
}

bool is_file(const Change& change) {
  return change.kind != ChangeKind::kDeleted && change.after && change.type == FileType::kFile;
}

void describe(const Change& change, const LinkNames& links, FileDiff& out) {
  const auto add = [&](std::string line) { out.header.push_back(std::move(line)); };
  const std::string link = links.text(change);
  switch (change.kind) {
    case ChangeKind::kCreated:
      if (change.after) {
        add(fmt::format("new {}, mode {}, owner {}:{}", link.empty() ? to_string(change.type) : link,
                        mode_text(change.after->mode), change.after->uid, change.after->gid));
        if (const auto acl = acl_of(change.after->xattrs)) add("acl " + *acl);
        if (const auto caps = caps_of(change.after->xattrs)) add("caps " + *caps);
      }
      break;
    case ChangeKind::kDeleted:
      add(std::string("deleted ") + to_string(change.type) +
          (change.before ? ", mode " + mode_text(change.before->mode) : std::string()));
      break;
    case ChangeKind::kType:
      if (change.before && !change.before->target.empty())
        add("was a symlink, target " + escape_text(change.before->target));
      add(std::string("now a ") + to_string(change.type));
      break;
    case ChangeKind::kRenamed:
      add("renamed from " + escape_text(change.from));
      if (is_destructive(change)) add("over an existing object");
      break;
    default:
      break;
  }
  if (change.kind != ChangeKind::kCreated && !link.empty()) add(link);
  const bool both = change.before && change.after && change.kind != ChangeKind::kType;
  if (both) {
    for (std::string& line : metadata_differences(*change.before, *change.after)) add(std::move(line));
    if (auto time = set_time(change)) add(std::move(*time));
    if (auto bytes = allocation(change)) add(std::move(*bytes));
    if (change.before->target != change.after->target) {
      add("target " + escape_text(change.before->target) + " → " + escape_text(change.after->target));
    }
    if (change.before->rdev != change.after->rdev) add("device number changed");
  } else if (change.after && !change.after->target.empty()) {
    add("target " + escape_text(change.after->target));
  }
  if (change.masked) add("a masked file's: never promoted");
  if (change.base_moved) add("the host's file changed after the rehearsal began");
}

std::string render(const std::vector<Hunk>& hunks) {
  std::string text;
  for (const Hunk& hunk : hunks) {
    text += hunk_header(hunk) + "\n";
    for (const DiffLine& line : hunk.lines) {
      text += line.sign;
      text += line.text;
      text += '\n';
      if (line.no_newline) text += std::string(kNoNewline) + "\n";
    }
  }
  return text;
}

}  // namespace

FileDiff diff_change(const Change& change, const Sides& sides, const HostNames& names,
                     const LinkNames& links) {
  FileDiff out;
  out.made = !was_file(change);
  out.gone = !is_file(change);
  describe(change, links, out);
  if (!is_file_content(change)) return out;
  if (const std::string object = links.host_object(change);
      change.kind == ChangeKind::kCreated && !object.empty()) {
    out.note = "its content is that of " + escape_text(object);
    return out;
  }
  const bool has_before = was_file(change);
  const bool has_after = is_file(change);
  if ((has_before && change.before->size > kMaxDiffBytes) ||
      (has_after && change.after->size > kMaxDiffBytes)) {
    out.note = "too large to compare by line: " + side_text(has_before ? change.before : std::nullopt) +
               " → " + side_text(has_after ? change.after : std::nullopt);
    return out;
  }
  std::string before;
  std::string after;
  if (has_before) {
    Result<std::string> content = std::string();
    for (const std::string& at : names.of(change)) {
      content = read_side(sides.open_host(at), *change.before, "host", "the host's file has changed since");
      if (content) break;
    }
    if (!content) {
      out.note = escape_text(content.error().what);
      return out;
    }
    before = std::move(*content);
  }
  if (has_after) {
    auto content = read_side(sides.open_kept(change), *change.after, "kept", kDamaged);
    if (!content) {
      out.damaged = content.error().what == kDamaged;
      out.note = escape_text(content.error().what);
      return out;
    }
    after = std::move(*content);
  }
  if (!is_text(before) || !is_text(after)) {
    out.note = "binary: " + side_text(has_before ? change.before : std::nullopt) + " → " +
               side_text(has_after ? change.after : std::nullopt);
    return out;
  }
  out.text = render(diff_lines(before, after));
  return out;
}

std::string escape_line(std::string_view line) {
  if (line.starts_with('\\')) return std::string(kNoNewline);  // content always has a sign before it
  std::string text;
  while (true) {
    const std::size_t tab = line.find('\t');
    text += escape_text(line.substr(0, tab));
    if (tab == std::string_view::npos) return text;
    text += '\t';
    line.remove_prefix(tab + 1);
  }
}

Result<UniqueFd> open_host_file(int root, const std::string& path) {
  constexpr std::uint64_t kResolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  if (path.find('\0') != std::string::npos) return fail("a path with a zero byte", ExitCode::kDataError);
  // First without opening: a device or a FIFO must not notice us. Then the very same object, for reading.
  RH_TRY(const UniqueFd object, path.size() < PATH_MAX
                                    ? sys::open_at2(root, path.c_str(), O_PATH | O_NOFOLLOW, 0, kResolve)
                                    : effects::open_object_beneath(root, path.substr(1)));
  RH_TRY(const struct stat st, sys::stat_fd(object.get()));
  if (!S_ISREG(st.st_mode)) return fail("not a regular file", ExitCode::kDataError);
  return sys::open(sys::fd_path(object.get()).c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOATIME);
}

bool is_at_or_below(std::string_view path, std::string_view filter) {
  while (filter.size() > 1 && filter.back() == '/') filter.remove_suffix(1);
  if (filter == "/") return path.starts_with('/');
  return path.starts_with(filter) && (path.size() == filter.size() || path[filter.size()] == '/');
}

}  // namespace rehearse::report
