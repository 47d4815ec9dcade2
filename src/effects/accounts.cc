#include "effects/accounts.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "base/ascii.h"

namespace rehearse::effects {
namespace {

struct User {
  std::string password;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
  std::string shell;
  std::size_t lines = 1;
  bool operator==(const User&) const = default;
};
struct Group {
  std::uint32_t gid = 0;
  std::set<std::string> members;
};

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Calls `visit` with the fields of each line that has so many at least.
template <class Visit>
void each_line(std::string_view text, std::size_t least, Visit visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto fields = split(text.substr(0, end), ':');
    text.remove_prefix(std::min(end + 1, text.size()));
    if (fields.size() >= least && !fields[0].empty()) visit(fields);
  }
}

std::map<std::string, User> users(std::string_view text) {
  std::map<std::string, User> result;
  each_line(text, 7, [&](const std::vector<std::string_view>& fields) {
    const auto uid = number(fields[2]);
    const auto gid = number(fields[3]);
    if (!uid || !gid) return;
    const auto [at, fresh] = result.emplace(
        fields[0], User{std::string(fields[1]), *uid, *gid, std::string(fields[5]), std::string(fields[6])});
    if (fresh) return;
    ++at->second.lines;
    at->second.uid = std::min(at->second.uid, *uid);  // the most that a second line may mean
  });
  return result;
}

std::map<std::string, std::string> passwords(std::string_view text) {
  std::map<std::string, std::string> result;
  each_line(text, 2,
            [&](const std::vector<std::string_view>& fields) { result.emplace(fields[0], fields[1]); });
  return result;
}

std::map<std::string, Group> groups(std::string_view text) {
  std::map<std::string, Group> result;
  each_line(text, 4, [&](const std::vector<std::string_view>& fields) {
    const auto gid = number(fields[2]);
    if (!gid) return;
    const auto [at, fresh] = result.emplace(fields[0], Group{*gid, {}});
    for (const std::string_view member : split(fields[3], ','))
      if (!member.empty()) at->second.members.emplace(member);
  });
  return result;
}

/// What a password field that has become another one means; empty: nothing to say.
const char* password_change(const std::string& before, const std::string& after) {
  if (before == after) return "";
  if (after.empty()) return "password-emptied";
  if (after.starts_with('!') || after.starts_with('*')) return before.empty() ? "" : "password-locked";
  return after == "x" ? "" : "password-set";
}

class Comparison {
 public:
  Comparison(const AccountFiles& before, const AccountFiles& after) : before_(before), after_(after) {}

  std::vector<AccountChange> compare() {
    compare_users();
    compare_passwords();
    compare_groups();
    return std::move(changes_);
  }

 private:
  void say_user(const char* what, const std::string& name, const User& user) {
    changes_.push_back({what, name, "", user.uid, user.gid, user.shell});
  }

  void compare_users() {
    old_users_ = users(before_.passwd);
    new_users_ = users(after_.passwd);
    for (const auto& [name, user] : new_users_) {
      const auto old = old_users_.find(name);
      if (old == old_users_.end()) {
        say_user("user-added", name, user);
        if (user.password.empty()) say_user("password-emptied", name, user);
      } else if (!(old->second == user)) {
        say_user("user-changed", name, user);
        if (const char* what = password_change(old->second.password, user.password); *what != '\0')
          say_user(what, name, user);
      }
    }
    for (const auto& [name, user] : old_users_)
      if (!new_users_.contains(name)) say_user("user-removed", name, user);
  }

  void compare_passwords() {
    const auto old = passwords(before_.shadow);
    for (const auto& [name, password] : passwords(after_.shadow)) {
      const auto before = old.find(name);
      const bool fresh = before == old.end();
      // A user that is made without a password has "!" or "*" there.
      const char* what = password_change(fresh ? "*" : before->second, password);
      if (fresh && (password.starts_with('!') || password.starts_with('*'))) continue;
      if (*what == '\0') continue;
      const auto user = new_users_.find(name);
      say_user(what, name, user == new_users_.end() ? User{} : user->second);
    }
  }

  void compare_groups() {
    const auto old = groups(before_.group);
    const auto now = groups(after_.group);
    for (const auto& [name, group] : now) {
      const auto before = old.find(name);
      if (before == old.end())
        changes_.push_back({"group-added", "", name, 0, group.gid, ""});
      else if (before->second.gid != group.gid)
        changes_.push_back({"group-changed", "", name, 0, group.gid, ""});
      for (const std::string& member : group.members)
        if (before == old.end() || !before->second.members.contains(member))
          say_member("member-added", member, name);
      if (before == old.end()) continue;
      for (const std::string& member : before->second.members)
        if (!group.members.contains(member)) say_member("member-removed", member, name);
    }
    for (const auto& [name, group] : old)
      if (!now.contains(name)) changes_.push_back({"group-removed", "", name, 0, group.gid, ""});
  }

  void say_member(const char* what, const std::string& member, const std::string& group) {
    const auto user = new_users_.find(member);
    changes_.push_back({what, member, group, user == new_users_.end() ? 0 : user->second.uid, 0, ""});
  }

  const AccountFiles& before_;
  const AccountFiles& after_;
  std::map<std::string, User> old_users_;
  std::map<std::string, User> new_users_;
  std::vector<AccountChange> changes_;
};

}  // namespace

std::vector<AccountChange> account_changes(const AccountFiles& before, const AccountFiles& after) {
  return Comparison(before, after).compare();
}

}  // namespace rehearse::effects
