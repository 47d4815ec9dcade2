#include "promote/journal_store.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/sys.h"
#include "ledger/layout.h"

namespace rehearse::promote {
namespace {

constexpr const char* kDirectory = "promotions";
constexpr std::string_view kNew = ".new";
constexpr std::string_view kReady = ".ready";

std::string name_of(const std::string& run, bool ready) {
  return std::string(kDirectory) + '/' + run + std::string(ready ? kReady : kNew);
}

Result<void> sync_directory(int dir, const char* rel) {
  RH_TRY(const UniqueFd directory, sys::open_beneath(dir, rel, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return sys::sync_file(directory.get());
}

}  // namespace

Result<std::vector<PendingJournal>> JournalStore::pending() const {
  std::vector<PendingJournal> found;
  RH_CHECK(ledger::for_each_name(state_.fd(), kDirectory, [&](const char* name) -> Result<void> {
    const std::string_view text(name);
    for (const std::string_view suffix : {kNew, kReady}) {
      if (!text.ends_with(suffix)) continue;
      const std::string_view run = text.substr(0, text.size() - suffix.size());
      if (ledger::is_run_id(run)) found.push_back({std::string(run), suffix == kReady});
    }
    return {};
  }));
  return found;
}

Result<UniqueFd> JournalStore::create(const std::string& run) const {
  auto made = sys::mkdir_at(state_.fd(), kDirectory, 0700);
  if (!made && made.error().err != EEXIST) return tl::make_unexpected(std::move(made).error());
  return sys::open_beneath(state_.fd(), name_of(run, false).c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
                           0600);
}

Result<void> JournalStore::make_found() const {
  RH_CHECK(sync_directory(state_.fd(), kDirectory));
  return sync_directory(state_.fd(), ".");  // which may be new there
}

Result<UniqueFd> JournalStore::open(const PendingJournal& journal) const {
  return sys::open_beneath(state_.fd(), name_of(journal.run, journal.ready).c_str(), O_RDWR | O_NOFOLLOW);
}

Result<void> JournalStore::make_ready(const std::string& run) const {
  RH_CHECK(sys::rename_at2(state_.fd(), name_of(run, false).c_str(), state_.fd(), name_of(run, true).c_str(),
                           RENAME_NOREPLACE));
  return sync_directory(state_.fd(), kDirectory);
}

Result<void> JournalStore::keep(const std::string& run, const ledger::Bundle& bundle,
                                std::uint32_t number) const {
  auto made = sys::mkdir_at(bundle.fd(), kDirectory, 0700);
  if (!made && made.error().err != EEXIST) return made;
  const std::string to = std::string(kDirectory) + '/' + std::to_string(number);
  RH_CHECK(
      sys::rename_at2(state_.fd(), name_of(run, true).c_str(), bundle.fd(), to.c_str(), RENAME_NOREPLACE));
  RH_CHECK(sync_directory(bundle.fd(), kDirectory));
  RH_CHECK(sync_directory(bundle.fd(), "."));
  return sync_directory(state_.fd(), kDirectory);
}

Result<void> JournalStore::discard(const PendingJournal& journal) const {
  auto removed = sys::unlink_at(state_.fd(), name_of(journal.run, journal.ready).c_str(), 0);
  if (!removed && removed.error().err != ENOENT) return removed;
  return {};
}

Result<std::vector<std::uint32_t>> kept_journals(const ledger::Bundle& bundle) {
  std::vector<std::uint32_t> numbers;
  RH_CHECK(ledger::for_each_name(bundle.fd(), kDirectory, [&](const char* name) -> Result<void> {
    const std::string_view text(name);
    std::uint32_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) numbers.push_back(number);
    return {};
  }));
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Result<Journal> read_kept_journal(const ledger::Bundle& bundle, std::uint32_t number) {
  RH_TRY(const UniqueFd file,
         bundle.open_file((std::string(kDirectory) + '/' + std::to_string(number)).c_str()));
  return read_journal(file.get());
}

}  // namespace rehearse::promote
