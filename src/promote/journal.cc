#include "promote/journal.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/codec.h"
#include "base/sys.h"

namespace rehearse::promote {
namespace {

constexpr std::string_view kMagic = "RHJOURN1";
constexpr std::size_t kCheckSize = 16;
constexpr std::uint64_t kMaxRecord = std::uint64_t{4} << 20U;
constexpr std::size_t kFlushAt = std::size_t{256} * 1024;

enum class Kind : std::uint8_t {
  kHeader = 1,
  kVolume,
  kOperation,
  kMark,
  kDirectory,
  kGivenUp,
  kKept,
  kTimeGrain
};

constexpr unsigned kHasBefore = 1, kHasAfter = 2, kEntries = 4, kTimeOnly = 8, kNotes = 16, kHasPrint = 32,
                   kHasDisplacedPrint = 64, kHasTree = 128, kHasTakenTree = 256;
constexpr unsigned kAllFlags = 511;

Sha256 chain(const Sha256& check, std::string_view record) {
  Sha256Hasher hasher;
  hasher.update({reinterpret_cast<const char*>(check.data()), check.size()});
  hasher.update(record);
  return hasher.finish();
}

void encode(Encoder& out, const Place& place) {
  out.number(static_cast<std::uint64_t>(place.area));
  out.text(place.path);
}

void encode(Encoder& out, const Facts& facts) {
  out.number(facts.ino);
  out.signed_number(facts.ctime_ns);
  out.signed_number(facts.mtime_ns);
  out.number(facts.size);
}

void encode(Encoder& out, const Settings& settings) {
  for (const std::uint32_t value : {settings.mode, settings.uid, settings.gid, settings.flags})
    out.number(value);
  out.signed_number(settings.mtime_ns);
  out.number(settings.xattrs.size());
  for (const auto& [name, value] : settings.xattrs) {
    out.text(name);
    out.text(value);
  }
}

bool is_safe(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return false;
  for (std::size_t at = 0; !path.empty() && at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

bool decode(Decoder& in, Place& place) {
  const std::uint64_t area = in.number();
  place.path = in.text();
  place.area = static_cast<Area>(area);
  return area <= static_cast<std::uint64_t>(Area::kStore) && is_safe(place.path);
}

void decode(Decoder& in, Facts& facts) {
  facts.ino = in.number();
  facts.ctime_ns = in.signed_number();
  facts.mtime_ns = in.signed_number();
  facts.size = in.number();
}

void decode(Decoder& in, Settings& settings) {
  settings.mode = in.number32();
  settings.uid = in.number32();
  settings.gid = in.number32();
  settings.flags = in.number32();
  settings.mtime_ns = in.signed_number();
  const std::uint64_t count = in.number();
  for (std::uint64_t i = 0; i < count && in.good(); ++i) {
    std::string name = in.text();
    settings.xattrs[std::move(name)] = in.text();
  }
}

void encode(Encoder& out, const Sha256& digest) {
  out.raw({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

void encode(Encoder& out, const ObjectPrint& print) {
  out.number(static_cast<std::uint64_t>(print.content));
  encode(out, print.digest);
}

bool decode(Decoder& in, Sha256& digest) {
  const std::string_view bytes = in.raw(digest.size());
  if (bytes.size() != digest.size()) return false;
  std::memcpy(digest.data(), bytes.data(), bytes.size());
  return true;
}

bool decode(Decoder& in, ObjectPrint& print) {
  const std::uint64_t content = in.number();
  if (content > static_cast<std::uint64_t>(ObjectPrint::Content::kSparse)) return false;
  print.content = static_cast<ObjectPrint::Content>(content);
  return decode(in, print.digest);
}

bool decode(Decoder& in, Operation& operation) {
  const std::uint64_t kind = in.number();
  const std::uint64_t type = in.number();
  const std::uint64_t flags = in.number();
  if (kind > static_cast<std::uint64_t>(OperationKind::kRewrite) ||
      type > static_cast<std::uint64_t>(effects::FileType::kBlockDevice) || flags > kAllFlags)
    return false;
  operation.kind = static_cast<OperationKind>(kind);
  operation.type = static_cast<effects::FileType>(type);
  operation.entries = (flags & kEntries) != 0;
  operation.time_only = (flags & kTimeOnly) != 0;
  operation.volume = in.number32();
  if (!decode(in, operation.from) || !decode(in, operation.to) || !decode(in, operation.saved)) return false;
  decode(in, operation.object);
  decode(in, operation.displaced);
  if ((flags & kHasBefore) != 0) decode(in, operation.before.emplace());
  if ((flags & kHasAfter) != 0) decode(in, operation.after.emplace());
  if ((flags & kNotes) != 0) {
    operation.from_directory = in.number32();
    operation.to_directory = in.number32();
  }
  if ((flags & kHasPrint) != 0 && !decode(in, operation.print.emplace())) return false;
  if ((flags & kHasDisplacedPrint) != 0 && !decode(in, operation.displaced_print.emplace())) return false;
  if ((flags & kHasTree) != 0 && !decode(in, operation.tree.emplace())) return false;
  return (flags & kHasTakenTree) == 0 || decode(in, operation.taken_tree.emplace());
}

/// Takes one record into the journal. False: it does not fit.
bool apply(std::string_view record, Journal& journal, bool first) {
  Decoder in(record);
  const std::uint64_t kind = in.number();
  if (first != (kind == static_cast<std::uint64_t>(Kind::kHeader))) return false;
  switch (static_cast<Kind>(kind)) {
    case Kind::kHeader: {
      const std::uint64_t what = in.number();
      if (what > static_cast<std::uint64_t>(JournalKind::kRollback)) return false;
      journal.header.kind = static_cast<JournalKind>(what);
      journal.header.run = in.text();
      journal.header.number = in.number32();
      journal.header.of = in.number32();
      journal.header.digest = in.text();
      journal.header.decision = in.number();
      journal.header.whole = in.number() == 1;
      journal.header.begun_ns = in.signed_number();
      journal.header.boot_id = in.text();
      break;
    }
    case Kind::kVolume: {
      JournalVolume volume;
      const std::uint64_t flags = in.number();
      volume.adopted = (flags & 1U) != 0;
      volume.memory = (flags & 2U) != 0;
      volume.mountpoint = in.text();
      volume.layer = in.number32();
      volume.token = in.text();
      volume.root_inode = in.number();
      if (flags > 3 || !volume.mountpoint.starts_with('/')) return false;
      journal.volumes.push_back(std::move(volume));
      break;
    }
    case Kind::kOperation: {
      Operation operation;
      if (!decode(in, operation) || operation.volume >= journal.volumes.size()) return false;
      for (const std::uint32_t number : {operation.from_directory, operation.to_directory}) {
        if (number != Operation::kNotNoted && number >= journal.directories.size()) return false;
      }
      journal.operations.push_back(std::move(operation));
      break;
    }
    case Kind::kDirectory: {
      Directory directory;
      directory.ino = in.number();
      const std::uint64_t handles = in.number();
      if (handles > 1) return false;
      if (handles == 1) {
        DirectoryHandle& handle = directory.handle.emplace();
        handle.type = static_cast<std::int32_t>(in.signed_number());
        handle.bytes = in.text();
      }
      if (!in.done()) {
        directory.volume = in.number32();
        directory.path = in.text();
        if (directory.volume >= journal.volumes.size() || !is_safe(directory.path) ||
            !decode(in, directory.listing.emplace()))
          return false;
      }
      journal.directories.push_back(std::move(directory));
      break;
    }
    case Kind::kTimeGrain: {
      const std::uint32_t volume = in.number32();
      const std::int64_t grain_ns = in.signed_number();
      if (volume >= journal.volumes.size() || grain_ns < 1) return false;
      journal.volumes[volume].time_grain_ns = grain_ns;
      break;
    }
    case Kind::kGivenUp:
      journal.given_up.push_back(in.text());
      break;
    case Kind::kKept: {
      Kept kept;
      kept.volume = in.number32();
      kept.path = in.text();
      kept.line = in.text();
      if (kept.volume >= journal.volumes.size() || !is_safe(kept.path)) return false;
      journal.kept.push_back(std::move(kept));
      break;
    }
    case Kind::kMark: {
      const std::uint64_t stage = in.number();
      if (stage > static_cast<std::uint64_t>(Stage::kUndoing)) return false;
      journal.stage = static_cast<Stage>(stage);
      (journal.stage == Stage::kReady ? journal.ready_ns : journal.settled_ns) = in.signed_number();
      break;
    }
    default:
      return false;
  }
  return in.good() && in.done();
}

/// Whole records of `text`, each handed to `visit`; the check after the last of them, and where they end.
struct Chain {
  Sha256 check = {};
  std::size_t end = 0;
};
template <class Visit>
Chain read_chain(std::string_view text, Visit visit) {
  Chain chain_state;
  if (!text.starts_with(kMagic)) return chain_state;
  chain_state.end = kMagic.size();
  while (true) {
    Decoder in(text.substr(chain_state.end));
    const std::uint64_t size = in.number();
    if (!in.good() || size == 0 || size > kMaxRecord) return chain_state;
    const std::string_view record = in.raw(size);
    const std::string_view check = in.raw(kCheckSize);
    if (!in.good()) return chain_state;
    const Sha256 next = chain(chain_state.check, record);
    if (std::memcmp(next.data(), check.data(), kCheckSize) != 0 || !visit(record)) return chain_state;
    chain_state.check = next;
    Encoder length;
    length.number(size);
    chain_state.end += length.bytes().size() + size + kCheckSize;
  }
}

}  // namespace

Result<JournalWriter> JournalWriter::create(UniqueFd file, const JournalHeader& header) {
  JournalWriter writer(std::move(file));
  writer.buffer_ = kMagic;
  Encoder record;
  record.number(static_cast<std::uint64_t>(Kind::kHeader));
  record.number(static_cast<std::uint64_t>(header.kind));
  record.text(header.run);
  record.number(header.number);
  record.number(header.of);
  record.text(header.digest);
  record.number(header.decision);
  record.number(header.whole ? 1 : 0);
  record.signed_number(header.begun_ns);
  record.text(header.boot_id);
  RH_CHECK(writer.add(record.bytes()));
  return writer;
}

Result<JournalWriter> JournalWriter::reopen(UniqueFd file) {
  RH_TRY(const std::string text, sys::read_all(file.get(), SIZE_MAX / 2));
  const Chain whole = read_chain(text, [](std::string_view) { return true; });
  // A torn record would hide what is written after it.
  if (::ftruncate(file.get(), static_cast<off_t>(whole.end)) != 0) return sys::last_error("ftruncate");
  if (::lseek(file.get(), 0, SEEK_END) < 0) return sys::last_error("lseek");
  JournalWriter writer(std::move(file));
  writer.check_ = whole.check;
  return writer;
}

Result<void> JournalWriter::add(std::string_view record) {
  if (record.size() > kMaxRecord)
    return fail("a record of the promotion's journal is larger than 4 MiB", ExitCode::kDataError);
  check_ = chain(check_, record);
  Encoder out;
  out.text(record);
  out.raw({reinterpret_cast<const char*>(check_.data()), kCheckSize});
  buffer_ += out.bytes();
  return buffer_.size() >= kFlushAt ? flush() : Result<void>{};
}

Result<void> JournalWriter::add(const JournalVolume& volume) {
  Encoder record;
  record.number(static_cast<std::uint64_t>(Kind::kVolume));
  record.number((volume.adopted ? 1U : 0U) | (volume.memory ? 2U : 0U));
  record.text(volume.mountpoint);
  record.number(volume.layer);
  record.text(volume.token);
  record.number(volume.root_inode);
  return add(record.bytes());
}

Result<void> JournalWriter::add_time_grain(std::uint32_t volume, std::int64_t grain_ns) {
  Encoder record;
  record.number(static_cast<std::uint64_t>(Kind::kTimeGrain));
  record.number(volume);
  record.signed_number(grain_ns);
  return add(record.bytes());
}

Result<void> JournalWriter::add(const Directory& directory) {
  Encoder record;
  record.number(static_cast<std::uint64_t>(Kind::kDirectory));
  record.number(directory.ino);
  record.number(directory.handle ? 1 : 0);
  if (directory.handle) {
    record.signed_number(directory.handle->type);
    record.text(directory.handle->bytes);
  }
  if (directory.listing) {
    record.number(directory.volume);
    record.text(directory.path);
    encode(record, *directory.listing);
  }
  return add(record.bytes());
}

Result<void> JournalWriter::add(const Operation& operation) {
  Encoder record;
  record.number(static_cast<std::uint64_t>(Kind::kOperation));
  record.number(static_cast<std::uint64_t>(operation.kind));
  record.number(static_cast<std::uint64_t>(operation.type));
  record.number((operation.before ? kHasBefore : 0U) | (operation.after ? kHasAfter : 0U) |
                (operation.entries ? kEntries : 0U) | (operation.time_only ? kTimeOnly : 0U) | kNotes |
                (operation.print ? kHasPrint : 0U) | (operation.displaced_print ? kHasDisplacedPrint : 0U) |
                (operation.tree ? kHasTree : 0U) | (operation.taken_tree ? kHasTakenTree : 0U));
  record.number(operation.volume);
  encode(record, operation.from);
  encode(record, operation.to);
  encode(record, operation.saved);
  encode(record, operation.object);
  encode(record, operation.displaced);
  if (operation.before) encode(record, *operation.before);
  if (operation.after) encode(record, *operation.after);
  record.number(operation.from_directory);
  record.number(operation.to_directory);
  if (operation.print) encode(record, *operation.print);
  if (operation.displaced_print) encode(record, *operation.displaced_print);
  if (operation.tree) encode(record, *operation.tree);
  if (operation.taken_tree) encode(record, *operation.taken_tree);
  return add(record.bytes());
}

Result<void> JournalWriter::add_given_up(const std::string& operation) {
  Encoder record;
  record.number(static_cast<std::uint64_t>(Kind::kGivenUp));
  record.text(operation);
  return add(record.bytes());
}

Result<void> JournalWriter::add(const Kept& kept) {
  Encoder record;
  record.number(static_cast<std::uint64_t>(Kind::kKept));
  record.number(kept.volume);
  record.text(kept.path);
  record.text(kept.line);
  return add(record.bytes());
}

Result<void> JournalWriter::mark(Stage stage, std::int64_t at_ns) {
  Encoder record;
  record.number(static_cast<std::uint64_t>(Kind::kMark));
  record.number(static_cast<std::uint64_t>(stage));
  record.signed_number(at_ns);
  RH_CHECK(add(record.bytes()));
  return sync();
}

Result<void> JournalWriter::flush() {
  auto written = sys::write_all(file_.get(), buffer_);
  buffer_.clear();
  if (!written)
    return fail_for(written.error().err, "cannot write the promotion's journal: " + written.error().what,
                    ExitCode::kCantCreate, "free some space in the state directory");
  return {};
}

Result<void> JournalWriter::sync() {
  RH_CHECK(flush());
  if (auto synced = sys::sync_file(file_.get()); !synced)
    return fail_for(synced.error().err, "cannot make the promotion's journal durable: " + synced.error().what,
                    ExitCode::kCantCreate, "check the filesystem of the state directory");
  return {};
}

Result<Journal> read_journal(int fd) {
  RH_TRY(const std::string text, sys::read_all(fd, SIZE_MAX / 2));
  Journal journal;
  constexpr std::size_t kUsualRecord = 100;
  journal.operations.reserve(text.size() / kUsualRecord);
  bool first = true;
  bool sound = true;
  const Chain whole = read_chain(text, [&](std::string_view record) {
    sound = apply(record, journal, first);
    first = false;
    return sound;
  });
  if (first && sound) {
    // It is made durable before anything is done: one whose header is not there, or not whole, is a file just
    // begun. The header fits into one sector, which is written whole; before that there are zeros.
    Decoder in(text.size() > kMagic.size() ? std::string_view(text).substr(kMagic.size())
                                           : std::string_view());
    const std::uint64_t size = in.number();
    if (!in.good() || text.front() == '\0' ||
        (size <= kMaxRecord && text.size() <= kMagic.size() + 10 + size + kCheckSize))
      return fail_for(ENODATA, "the promotion's journal was only begun", ExitCode::kDataError);
  }
  if (first || !sound)
    return fail("the promotion's journal is damaged at byte " + std::to_string(whole.end),
                ExitCode::kDataError, "it cannot be recovered: compare the host with `rehearse diff`");
  return journal;
}

}  // namespace rehearse::promote
