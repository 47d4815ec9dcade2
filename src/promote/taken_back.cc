#include "promote/taken_back.h"

#include <cstring>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace rehearse::promote {
namespace {

constexpr const char* kCapability = "security.capability";
constexpr const char* kAccessList = "system.posix_acl_access";
constexpr std::uint32_t kPermissions = 0777;
constexpr std::uint32_t kSetIds = 06000;

using Value = std::optional<std::string>;

Value value_of(const Settings& settings, const std::string& name) {
  const auto found = settings.xattrs.find(name);
  return found == settings.xattrs.end() ? Value() : Value(found->second);
}

/// The list without what chmod sets of it: the owner's rights, everybody's, and the mask's or else the
/// group's.
Value without_modes(const Value& list) {
  constexpr std::size_t kHead = 4;
  constexpr std::size_t kEntry = 8;
  enum Tag : std::uint16_t { kOwner = 0x01, kGroup = 0x04, kMask = 0x10, kOther = 0x20 };
  if (!list || list->size() < kHead || (list->size() - kHead) % kEntry != 0) return list;
  const auto tag_at = [&](std::size_t at) {
    std::uint16_t tag = 0;
    std::memcpy(&tag, list->data() + at, sizeof tag);
    return tag;
  };
  bool masked = false;
  for (std::size_t at = kHead; at < list->size(); at += kEntry) masked = masked || tag_at(at) == kMask;
  Value named = list;
  for (std::size_t at = kHead; at < named->size(); at += kEntry) {
    const std::uint16_t tag = tag_at(at);
    if (tag == kOwner || tag == kOther || tag == (masked ? kMask : kGroup))
      std::memset(named->data() + at + sizeof tag, 0, sizeof tag);
  }
  return named;
}

class Taking {
 public:
  Taking(const Settings& now, const Settings& ours, const Settings& before, Extent extent)
      : now_(now), ours_(ours), before_(before), extent_(extent), result_{now, {}} {}

  TakenBack take() {
    take_rights();
    take_one(now_.flags, ours_.flags, before_.flags, result_.settings.flags, "flags");
    // A time of somebody else's is that of an edit, which is there to see.
    if (now_.mtime_ns == ours_.mtime_ns) result_.settings.mtime_ns = before_.mtime_ns;
    std::set<std::string> names;
    for (const Settings* settings : {&ours_, &before_}) {
      for (const auto& [name, value] : settings->xattrs) names.insert(name);
    }
    names.erase(kAccessList);
    for (const std::string& name : names) take_xattr(name);
    return std::move(result_);
  }

 private:
  template <class T>
  void take_one(const T& now, const T& ours, const T& before, T& result, const char* name) {
    if (now == ours || now == before)
      result = before;
    else
      result_.theirs.emplace_back(name);
  }

  void take_rights() {
    const bool owner = now_.uid == ours_.uid || now_.uid == before_.uid;
    const bool group = now_.gid == ours_.gid || now_.gid == before_.gid;
    const bool mode = is_own_mode();
    const bool list = is_own_list();
    for (const auto& [own, name] : {std::pair(owner, "owner"), std::pair(group, "group"),
                                    std::pair(mode, "mode"), std::pair(list, "access list")}) {
      if (!own) result_.theirs.emplace_back(name);
    }
    if (owner) result_.settings.uid = before_.uid;
    if (group) result_.settings.gid = before_.gid;
    if (owner && group && mode && list) {
      result_.settings.mode = before_.mode;
      set(kAccessList);
    } else if (result_.settings.uid != now_.uid || result_.settings.gid != now_.gid) {
      // As chown has it: nobody makes a program run as whoever it is given to.
      result_.settings.mode &= ~kSetIds;
    }
  }

  /// On the way from the one to the other an object has, at times, only the rights that both give, and the
  /// kernel takes away set-id bits.
  [[nodiscard]] bool is_own_mode() const {
    if (now_.mode == before_.mode || now_.mode == ours_.mode) return true;
    if (extent_.whole) return false;
    const std::uint32_t permissions = now_.mode & kPermissions;
    const std::uint32_t special = now_.mode & ~kPermissions;
    const bool known = permissions == (before_.mode & kPermissions) ||
                       permissions == (ours_.mode & kPermissions) ||
                       permissions == (before_.mode & ours_.mode & kPermissions);
    return known && (special & ~(before_.mode | ours_.mode)) == 0;
  }

  /// A change of the mode changes the list as well.
  [[nodiscard]] bool is_own_list() const {
    const Value now = value_of(now_, kAccessList);
    const Value ours = value_of(ours_, kAccessList);
    const Value before = value_of(before_, kAccessList);
    if (now == ours || now == before) return true;
    if (extent_.whole) return false;
    return without_modes(now) == without_modes(ours) || without_modes(now) == without_modes(before);
  }

  void take_xattr(const std::string& name) {
    const Value now = value_of(now_, name);
    const bool lost = name == kCapability && !now && !extent_.whole &&
                      (extent_.rewritten || before_.uid != ours_.uid || before_.gid != ours_.gid);
    if (now == value_of(ours_, name) || now == value_of(before_, name) || lost)
      set(name);
    else
      result_.theirs.push_back(name);
  }

  void set(const std::string& name) {
    if (Value value = value_of(before_, name))
      result_.settings.xattrs[name] = std::move(*value);
    else
      result_.settings.xattrs.erase(name);
  }

  const Settings& now_;
  const Settings& ours_;
  const Settings& before_;
  Extent extent_;
  TakenBack result_;
};

}  // namespace

TakenBack taken_back(const Settings& now, const Settings& ours, const Settings& before, Extent extent) {
  return Taking(now, ours, before, extent).take();
}

}  // namespace rehearse::promote
