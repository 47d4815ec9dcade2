#include "host/logins.h"

#include <unistd.h>
#include <utmpx.h>

#include <cstring>

#include "base/sys.h"

namespace rehearse::host {
namespace {

constexpr std::size_t kMost = 4U << 20U;

template <std::size_t N>
std::string text_of(const char (&field)[N]) {
  return {field, ::strnlen(field, N)};
}

}  // namespace

std::vector<Login> parse_logins(std::string_view utmp) {
  std::vector<Login> logins;
  for (; utmp.size() >= sizeof(struct utmpx); utmp.remove_prefix(sizeof(struct utmpx))) {
    struct utmpx record = {};
    std::memcpy(&record, utmp.data(), sizeof record);
    if (record.ut_type != USER_PROCESS || record.ut_user[0] == '\0') continue;
    logins.push_back({text_of(record.ut_user), text_of(record.ut_line), text_of(record.ut_host),
                      record.ut_pid, record.ut_tv.tv_sec});
  }
  return logins;
}

std::vector<Login> read_logins() {
  const auto utmp = sys::read_file("/run/utmp", kMost);
  auto logins = parse_logins(utmp ? std::string_view(*utmp) : std::string_view());
  std::erase_if(logins, [](const Login& login) {
    return ::access(("/proc/" + std::to_string(login.pid)).c_str(), F_OK) != 0;
  });
  return logins;
}

}  // namespace rehearse::host
