#include "sandbox/layer_mask.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <set>

#include "base/file_handle.h"
#include "base/masked_content.h"
#include "base/sys.h"

namespace rehearse::sandbox {
namespace {

Result<UniqueFd> open_directory(int base, const char* path) {
  return sys::open_beneath(base, path, O_RDONLY | O_DIRECTORY);
}

/// The ids in a POSIX ACL's stored form: version, then {tag, permissions, id} (linux/posix_acl_xattr.h).
void shift_acl(std::string& value, std::uint32_t shift) {
  constexpr std::size_t kHead = 4;
  constexpr std::size_t kEntry = 8;
  constexpr unsigned kNamedUser = 2;
  constexpr unsigned kNamedGroup = 8;
  for (std::size_t at = kHead; at + kEntry <= value.size(); at += kEntry) {
    std::uint16_t tag = 0;
    std::uint32_t id = 0;
    std::memcpy(&tag, value.data() + at, sizeof tag);
    std::memcpy(&id, value.data() + at + 4, sizeof id);
    if (tag != kNamedUser && tag != kNamedGroup) continue;
    id += shift;
    std::memcpy(value.data() + at + 4, &id, sizeof id);
  }
}

/// The names that could not be set.
std::vector<std::string> copy_xattrs_shifted(int from, int to, std::uint32_t shift) {
  std::vector<std::string> refused;
  const auto names = sys::list_xattrs(from);
  if (!names) return refused;
  for (const std::string& name : *names) {
    if (name.starts_with("trusted.overlay.")) continue;
    auto value = sys::get_xattr(from, name.c_str());
    if (!value) continue;
    if (name.starts_with("system.posix_acl_")) shift_acl(*value, shift);
    if (!sys::set_xattr(to, name.c_str(), *value)) refused.push_back(name);
  }
  return refused;
}

/// Not somebody's own directory that happens to have the name.
bool is_store(int lower, const std::string& path) {
  const auto st = sys::stat_at(lower, path.c_str(), AT_SYMLINK_NOFOLLOW);
  return st && S_ISDIR(st->st_mode) && st->st_uid == 0 && (st->st_mode & 0077U) == 0;
}

}  // namespace

/// Placeholders and whiteouts live in the stage, not in the bundle: overlayfs refuses a lower layer that lies
/// inside another (ELOOP), and the bundle lies inside the host's root. A tmpfs needs no id mapping: ids are
/// shifted here.
Result<LayerMask> make_mask(const LayerPlan& layer, int lower, int stage, const std::string& name,
                            std::uint32_t shift) {
  LayerMask made;
  std::vector<std::string> absent = layer.absent;
  std::copy_if(layer.stores.begin(), layer.stores.end(), std::back_inserter(absent),
               [lower](const std::string& path) { return is_store(lower, path); });
  if (layer.placeholders.empty() && absent.empty() && layer.additions.empty() && layer.stands.empty())
    return made;
  RH_CHECK(sys::mkdir_at(stage, name.c_str(), 0700));
  RH_TRY(auto mask, open_directory(stage, name.c_str()));
  std::set<std::string> parents;
  const auto make_parents = [&](const std::string& path) -> Result<bool> {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      if (parents.contains(parent)) continue;
      if (!open_directory(lower, parent.c_str())) return false;  // not on this host
      RH_CHECK(sys::mkdir_at(mask.get(), parent.c_str(), 0700));
      parents.insert(parent);
    }
    return true;
  };
  const auto look_like = [&](const std::string& path, int from, int to) -> Result<void> {
    RH_TRY(const auto st, sys::stat_fd(from));
    if (::fchown(to, st.st_uid + shift, st.st_gid + shift) != 0) return sys::last_error("fchown", "mask");
    if (::fchmod(to, st.st_mode & 07777U) != 0) return sys::last_error("fchmod", "mask");
    if (auto refused = copy_xattrs_shifted(from, to, shift); !refused.empty())
      made.xattrs_not_shown.emplace(path, std::move(refused));
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    if (::futimens(to, times) != 0) return sys::last_error("futimens", "mask");
    return {};
  };
  const auto note_masked = [&](const std::string& path, int file) {
    made.masked.push_back(path);
    if (const auto key = handle_key(file)) made.handles.emplace(*key, path);
  };
  for (const Addition& addition : layer.additions) {
    RH_TRY(const bool there, make_parents(addition.path));
    if (!there) continue;
    std::string content;
    auto original =
        sys::open_beneath(lower, addition.path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (original.has_value() == addition.fresh) continue;
    if (original) {
      RH_TRY(const auto st, sys::stat_fd(original->get()));
      if (!S_ISREG(st.st_mode)) continue;
      RH_TRY(content, sys::read_all(original->get()));
    }
    RH_TRY(auto file,
           sys::open_beneath(mask.get(), addition.path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644));
    RH_CHECK(sys::write_all(file.get(), content + addition.text));
    if (original) {
      RH_CHECK(look_like(addition.path, original->get(), file.get()));
    } else if (::fchown(file.get(), shift, shift) != 0) {
      return sys::last_error("fchown", "mask");
    }
    note_masked(addition.path, file.get());
  }
  for (const std::string& path : layer.placeholders) {
    auto original = sys::open_beneath(lower, path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!original) continue;
    RH_TRY(const auto st, sys::stat_fd(original->get()));
    if (!S_ISREG(st.st_mode)) continue;
    RH_TRY(const bool there, make_parents(path));
    if (!there) continue;
    RH_TRY(auto placeholder, sys::open_beneath(mask.get(), path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
    RH_CHECK(write_masked_content(placeholder.get(), static_cast<std::uint64_t>(st.st_size)));
    RH_CHECK(look_like(path, original->get(), placeholder.get()));
    note_masked(path, placeholder.get());
  }
  for (const std::string& path : absent) {
    if (!sys::stat_at(lower, path.c_str(), AT_SYMLINK_NOFOLLOW)) continue;
    RH_TRY(const bool there, make_parents(path));
    if (!there) continue;
    if (::mknodat(mask.get(), path.c_str(), S_IFCHR, makedev(0, 0)) != 0)
      return sys::last_error("mknod whiteout", path);
    made.hidden.push_back(path);
  }
  // Sockets are not in a layer that had to be copied, and a mount needs something to be on.
  for (const std::string& path : layer.stands) {
    RH_TRY(const bool there, make_parents(path));
    if (!there) continue;
    RH_TRY(auto file, sys::open_beneath(mask.get(), path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
  }
  // Deepest first: setting a child's attributes must not touch its parent's times any more.
  for (auto parent = parents.rbegin(); parent != parents.rend(); ++parent) {
    RH_TRY(auto from, open_directory(lower, parent->c_str()));
    RH_TRY(auto to, open_directory(mask.get(), parent->c_str()));
    RH_CHECK(look_like(*parent, from.get(), to.get()));
  }
  RH_CHECK(look_like("", lower, mask.get()));
  made.shadowed.assign(parents.begin(), parents.end());
  made.shadowed.emplace_back();
  RH_TRY(made.root, sys::open_beneath(stage, name.c_str(), O_PATH | O_DIRECTORY));
  return made;
}

}  // namespace rehearse::sandbox
