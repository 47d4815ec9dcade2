#include "promote/stores.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/sys.h"
#include "base/tree.h"
#include "promote/commit.h"
#include "promote/journal_store.h"
#include "promote/kept_aside.h"

namespace rehearse::promote {
namespace {

struct FoundStore {
  Volume volume;
  std::string mountpoint;
  bool open = false;     ///< the volume's store is this run's
  bool missing = false;  ///< something of the run is kept there, and that filesystem is not mounted
};

/// Each place in which the run's journals say that something is kept, once.
Result<std::vector<FoundStore>> find_stores(const ledger::Bundle& bundle) {
  std::vector<FoundStore> found;
  RH_TRY(const auto numbers, kept_journals(bundle));
  RH_TRY(const std::string boot, sys::read_file("/proc/sys/kernel/random/boot_id", 256));
  std::vector<JournalVolume> known;
  for (const std::uint32_t number : numbers) {
    RH_TRY(const Journal journal, read_kept_journal(bundle, number));
    for (const JournalVolume& entry : journal.volumes) {
      if (entry.adopted) continue;
      const bool again = std::any_of(known.begin(), known.end(), [&](const JournalVolume& other) {
        return other.mountpoint == entry.mountpoint && other.token == entry.token;
      });
      if (again) continue;
      known.push_back(entry);
      if (entry.memory && journal.header.boot_id != boot) continue;  // gone with the boot
      FoundStore store;
      store.mountpoint = entry.mountpoint;
      auto volume = Volume::open(entry.mountpoint);
      if (volume) {
        store.open = volume->open_store(bundle.id()).has_value() && token_of(*volume) == entry.token;
        // The same filesystem without a store: a rollback has taken it away.
        store.missing = !store.open && volume->root_inode() != entry.root_inode;
        store.volume = std::move(*volume);
      } else {
        store.missing = true;
      }
      found.push_back(std::move(store));
    }
  }
  return found;
}

/// A promotion that was undone while a filesystem was away has left its store there, and no journal.
Result<void> find_left_behind(const ledger::Bundle& bundle, std::vector<FoundStore>& found) {
  RH_TRY(const auto mountpoints, left_behind(bundle));
  for (const std::string& mountpoint : mountpoints) {
    if (std::ranges::any_of(found,
                            [&](const FoundStore& one) { return one.open && one.mountpoint == mountpoint; }))
      continue;
    auto volume = Volume::open(mountpoint);
    if (volume && volume->open_store(bundle.id()))
      found.push_back({std::move(*volume), mountpoint, true, false});
  }
  return {};
}

}  // namespace

Result<std::uint64_t> store_bytes(const ledger::Bundle& bundle) {
  RH_TRY(const auto stores, find_stores(bundle));
  std::uint64_t bytes = 0;
  for (const FoundStore& store : stores) {
    if (!store.open) continue;
    RH_TRY(const std::uint64_t here, tree_bytes(store.volume.store(), "."));
    bytes += here;
  }
  return bytes;
}

Result<void> remove_stores(const ledger::StateDir& state, const ledger::Bundle& bundle) {
  RH_TRY(const auto pending, JournalStore(state).pending());
  for (const PendingJournal& one : pending) {
    if (one.run == bundle.id())
      return fail("run " + bundle.id() + ": its promotion was interrupted and is not over",
                  ExitCode::kTryLater, "see: rehearse recover");
  }
  RH_TRY(auto stores, find_stores(bundle));
  for (const FoundStore& store : stores) {
    if (store.missing)
      return fail("run " + bundle.id() + " keeps what it replaced in " + store.mountpoint + "/" +
                      kStoreDirectory + ", and that filesystem is not mounted",
                  ExitCode::kTryLater, "mount it first");
  }
  RH_CHECK(find_left_behind(bundle, stores));
  for (FoundStore& store : stores) {
    if (store.open) RH_CHECK(store.volume.remove_store(bundle.id()));
  }
  return {};
}

}  // namespace rehearse::promote
