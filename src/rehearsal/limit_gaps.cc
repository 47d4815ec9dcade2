#include "rehearsal/limit_gaps.h"

#include <linux/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/sys.h"
#include "rehearsal/some.h"

namespace rehearse {
namespace {

using report::AttemptRecord;

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

/// By name. PAM sets the limits of a session, systemd's tools want many descriptors.
constexpr std::string_view kHabit[] = {"su",   "sudo",      "runuser", "login",      "sshd",
                                       "cron", "systemctl", "udevadm", "journalctl", "systemd"};

bool tries_by_habit(std::string_view program) {
  return std::ranges::find(kHabit, program) != std::end(kHabit) || program.starts_with("systemd-");
}

/// "RLIMIT_NOFILE" of a call that sets it; "" if it is another.
std::string_view resource_of(const AttemptRecord& attempt) {
  const std::string_view detail = attempt.detail;
  if (!detail.starts_with("prlimit64(") && !detail.starts_with("setrlimit(")) return {};
  const std::size_t begin = detail.find("RLIMIT_");
  if (begin == std::string_view::npos) return {};
  return detail.substr(begin, detail.find_first_of(",) ", begin) - begin);
}

/// Of "rlim_cur=512*1024, ", as the call is printed; nothing if it is not there.
std::optional<std::uint64_t> value_of(std::string_view detail, std::string_view name) {
  const std::size_t at = detail.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  detail.remove_prefix(at + name.size());
  if (detail.starts_with("RLIM")) return kUnlimited;
  std::uint64_t product = 1;
  while (true) {
    std::uint64_t factor = 0;
    const auto [end, error] = std::from_chars(detail.data(), detail.data() + detail.size(), factor);
    if (error != std::errc() || __builtin_mul_overflow(product, factor, &product)) return std::nullopt;
    detail.remove_prefix(static_cast<std::size_t>(end - detail.data()));
    if (!detail.starts_with('*')) return product;
    detail.remove_prefix(1);
  }
}

std::string named(std::string_view resource, std::string_view program) {
  return std::string(resource) + " (" + std::string(program) + ')';
}

}  // namespace

LimitRules limit_rules() {
  LimitRules rules;
  rules.administrator = ::prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 1;
  const std::string most = sys::read_file("/proc/sys/fs/nr_open", 64).value_or("");
  (void)std::from_chars(most.data(), most.data() + most.size(), rules.most_open_files);
  return rules;
}

std::vector<verdict::Gap> limit_gaps(const report::RunRecord& record, const LimitRules& rules) {
  constexpr std::uint64_t kNoDump = 1;  // what stands inside, so that no program of core_pattern is started
  std::set<std::string> refused, tried, dumps;
  for (const AttemptRecord& attempt : record.attempts) {
    const std::string_view resource = attempt.what == "limits" ? resource_of(attempt) : std::string_view();
    if (resource.empty()) continue;
    const std::string_view program = std::string_view(attempt.exe).substr(attempt.exe.rfind('/') + 1);
    if (attempt.result == "faked" && value_of(attempt.detail, "rlim_cur=").value_or(kUnlimited) > kNoDump)
      dumps.insert(std::string(program));
    if (attempt.result != "denied" || !rules.administrator) continue;
    const bool nobody = resource == "RLIMIT_NOFILE" &&
                        value_of(attempt.detail, "rlim_max=").value_or(0) > rules.most_open_files;
    if (!nobody) (tries_by_habit(program) ? tried : refused).insert(named(resource, program));
  }
  std::vector<verdict::Gap> gaps;
  constexpr const char* kWhy =
      "inside nobody may raise a hard limit, and a host lets its administrator: what the action does with "
      "the higher one was not seen";
  if (!refused.empty())
    gaps.push_back({"limits that were not raised: " + some(refused), kWhy, verdict::Level::kYellow});
  if (!tried.empty())
    gaps.push_back({"limits that were not raised: " + some(tried), kWhy, verdict::Level::kGreen});
  if (!dumps.empty())
    gaps.push_back(
        {"limit of core dumps, which was not raised: " + some(dumps),
         "inside no process leaves one: setting the limit seems to succeed, and who asks for it is "
         "told that there is none",
         verdict::Level::kYellow});
  return gaps;
}

}  // namespace rehearse
