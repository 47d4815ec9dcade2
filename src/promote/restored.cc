#include "promote/restored.h"

#include <fcntl.h>

#include <cerrno>

#include "base/clock.h"
#include "base/codec.h"
#include "base/sys.h"
#include "effects/directory.h"

namespace rehearse::promote {
namespace {

constexpr const char* kFile = "restored";
constexpr const char* kNewFile = "restored.new";
constexpr std::size_t kMostBytes = std::size_t{256} << 20U;

/// Its change time, if it is the noted one and holds what it held.
std::optional<std::int64_t> restored_at(const Volume& volume, const Directory& noted) {
  const auto opened = open_below(volume.root(), noted.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME);
  if (!opened) return std::nullopt;
  // Before it is read: what is put there meanwhile gives it another.
  const auto st = sys::stat_fd(opened->get());
  if (!st || st->st_ino != noted.ino) return std::nullopt;
  const auto listing = print_listing(opened->get(), noted.path.empty());
  if (!listing || *listing != *noted.listing) return std::nullopt;
  return to_ns(st->st_ctim);
}

}  // namespace

Result<Sha256> print_listing(int directory, bool is_root) {
  RH_TRY(const auto names, effects::Listing::read(directory));
  Encoder out;
  for (const effects::Listed& entry : names) {
    if (is_root && entry.name == kStoreDirectory) continue;
    out.text(entry.name);
    out.number(entry.ino);
    out.number(entry.type);
  }
  return sha256(out.bytes());
}

Result<void> note_restored(const ledger::Bundle& bundle, std::span<Volume* const> volumes,
                           std::span<const Directory> directories) {
  RH_TRY(Restored all, restored_directories(bundle));
  for (const Directory& directory : directories) {
    if (!directory.listing || directory.volume >= volumes.size() || volumes[directory.volume] == nullptr)
      continue;
    Volume& volume = *volumes[directory.volume];
    if (const auto ctime_ns = restored_at(volume, directory))
      all[volume.shown({Area::kHost, directory.path})] = *ctime_ns;
  }
  Encoder out;
  for (const auto& [path, ctime_ns] : all) {
    out.text(path);
    out.signed_number(ctime_ns);
  }
  (void)sys::unlink_at(bundle.fd(), kNewFile, 0);
  {
    RH_TRY(const UniqueFd file,
           sys::open_beneath(bundle.fd(), kNewFile, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    RH_CHECK(sys::write_all(file.get(), out.bytes()));
    RH_CHECK(sys::sync_file(file.get()));
  }
  return sys::rename_at(bundle.fd(), kNewFile, bundle.fd(), kFile);
}

Result<Restored> restored_directories(const ledger::Bundle& bundle) {
  Restored all;
  const auto text = sys::read_file_at(bundle.fd(), kFile, kMostBytes);
  if (!text && text.error().err == ENOENT) return all;
  if (!text) return tl::make_unexpected(text.error());
  Decoder in(*text);
  while (in.good() && !in.done()) {
    std::string path = in.text();
    const std::int64_t ctime_ns = in.signed_number();
    if (in.good()) all[std::move(path)] = ctime_ns;
  }
  return all;
}

}  // namespace rehearse::promote
