#include "effects/manifest.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/sys.h"

// A record is a varint length and that many bytes: kind, type, flags, layer, then strings (varint length and
// bytes), then `before` and `after` if the flags say so. A length of 0 ends the records; the footer follows:
// varint count, 32 bytes of root. Numbers are LEB128 varints, signed ones zigzag.

namespace rehearse::effects {
namespace {

constexpr std::string_view kMagic = "RHMANIF1";
constexpr std::size_t kFlushAt = std::size_t{256} * 1024;
constexpr std::uint64_t kMaxRecord = std::uint64_t{16} << 20U;

constexpr unsigned kHasBefore = 1, kHasAfter = 2, kMasked = 4, kBaseMoved = 8;  // of a record
constexpr unsigned kHasGeneration = 1, kHasLinkGroup = 2, kHasSha256 = 4;       // of attributes

class Encoder {
 public:
  void number(std::uint64_t value) {
    while (value >= 0x80) {
      bytes_ += static_cast<char>(value | 0x80U);
      value >>= 7U;
    }
    bytes_ += static_cast<char>(value);
  }
  void signed_number(std::int64_t value) {
    number((static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void text(std::string_view value) {
    number(value.size());
    bytes_.append(value);
  }
  void raw(std::string_view value) { bytes_.append(value); }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<std::uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    bad_ = true;
    return 0;
  }
  std::int64_t signed_number() {
    const std::uint64_t value = number();
    return static_cast<std::int64_t>(value >> 1U) ^ -static_cast<std::int64_t>(value & 1U);
  }
  std::string text() { return std::string(raw(number())); }
  std::string_view raw(std::uint64_t size) {
    if (size > bytes_.size()) {
      bad_ = true;
      return {};
    }
    const std::string_view value = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return value;
  }
  [[nodiscard]] bool good() const { return !bad_; }
  [[nodiscard]] bool done() const { return bytes_.empty(); }
  [[nodiscard]] std::size_t left() const { return bytes_.size(); }
  void spoil() { bad_ = true; }

 private:
  std::string_view bytes_;
  bool bad_ = false;
};

std::string_view view(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

void encode(Encoder& out, const Attributes& a) {
  out.number((a.generation ? kHasGeneration : 0U) | (a.link_group ? kHasLinkGroup : 0U) |
             (a.sha256 ? kHasSha256 : 0U));
  out.number(a.dev);
  out.number(a.ino);
  if (a.generation) out.number(*a.generation);
  out.signed_number(a.ctime_ns);
  out.signed_number(a.mtime_ns);
  for (const std::uint64_t value :
       {std::uint64_t{a.mode}, std::uint64_t{a.uid}, std::uint64_t{a.gid}, a.size, a.blocks, a.nlink})
    out.number(value);
  if (a.link_group) out.number(*a.link_group);
  out.number(a.rdev);
  out.text(a.target);
  if (a.sha256) out.raw(view(*a.sha256));
  out.number(a.xattrs.size());
  for (const auto& [name, value] : a.xattrs) {
    out.text(name);
    out.text(value);
  }
  out.number(a.flags);
}

std::uint32_t narrow(Decoder& in) {
  const std::uint64_t value = in.number();
  if (value > UINT32_MAX) in.spoil();
  return static_cast<std::uint32_t>(value);
}

Attributes decode_attributes(Decoder& in) {
  Attributes a;
  const std::uint64_t flags = in.number();
  a.dev = in.number();
  a.ino = in.number();
  if ((flags & kHasGeneration) != 0) a.generation = in.number();
  a.ctime_ns = in.signed_number();
  a.mtime_ns = in.signed_number();
  a.mode = narrow(in);
  a.uid = narrow(in);
  a.gid = narrow(in);
  a.size = in.number();
  a.blocks = in.number();
  a.nlink = in.number();
  if ((flags & kHasLinkGroup) != 0) a.link_group = in.number();
  a.rdev = in.number();
  a.target = in.text();
  if ((flags & kHasSha256) != 0) {
    const std::string_view digest = in.raw(32);
    a.sha256.emplace();
    if (digest.size() == 32) std::memcpy(a.sha256->data(), digest.data(), 32);
  }
  const std::uint64_t xattrs = in.number();
  for (std::uint64_t i = 0; i < xattrs && in.good(); ++i) {
    std::string name = in.text();
    a.xattrs[std::move(name)] = in.text();
  }
  a.flags = narrow(in);
  return a;
}

void encode(Encoder& out, const Change& change) {
  out.number(static_cast<std::uint64_t>(change.kind));
  out.number(static_cast<std::uint64_t>(change.type));
  out.number((change.before ? kHasBefore : 0U) | (change.after ? kHasAfter : 0U) |
             (change.masked ? kMasked : 0U) | (change.base_moved ? kBaseMoved : 0U));
  out.number(change.layer);
  out.text(change.path);
  out.text(change.from);
  out.text(change.package);
  out.number(change.also.size());
  for (const std::string& word : change.also) out.text(word);
  if (change.before) encode(out, *change.before);
  if (change.after) encode(out, *change.after);
}

bool decode(Decoder& in, Change& change) {
  const std::uint64_t kind = in.number();
  const std::uint64_t type = in.number();
  const std::uint64_t flags = in.number();
  if (kind > static_cast<std::uint64_t>(ChangeKind::kIdentical) ||
      type > static_cast<std::uint64_t>(FileType::kBlockDevice) || flags > 15) {
    return false;
  }
  change.kind = static_cast<ChangeKind>(kind);
  change.type = static_cast<FileType>(type);
  change.masked = (flags & kMasked) != 0;
  change.base_moved = (flags & kBaseMoved) != 0;
  change.layer = narrow(in);
  change.path = in.text();
  change.from = in.text();
  change.package = in.text();
  const std::uint64_t words = in.number();
  for (std::uint64_t i = 0; i < words && in.good(); ++i) change.also.push_back(in.text());
  if ((flags & kHasBefore) != 0) change.before = decode_attributes(in);
  if ((flags & kHasAfter) != 0) change.after = decode_attributes(in);
  return in.good() && in.done();
}

/// What the root covers: a record without what differs between two runs that did the same.
void make_stable(Change& stable) {
  stable.base_moved = false;
  if (stable.before) stable.before->blocks = 0;
  if (stable.after) {
    Attributes& after = *stable.after;
    after.dev = after.ino = after.blocks = 0;
    after.ctime_ns = 0;
    after.generation.reset();
    const bool set_on_purpose =
        std::find(stable.also.begin(), stable.also.end(), "mtime") != stable.also.end();
    if (!set_on_purpose) after.mtime_ns = 0;
    if (after.link_group) after.link_group = 1;
  }
}

class FileWriter final : public ManifestWriter {
 public:
  explicit FileWriter(UniqueFd file) : file_(std::move(file)) { out_.raw(kMagic); }

  Result<void> add(const Change& change) override {
    scratch_.bytes().clear();
    stable_ = change;  // whose strings lie where those of the last record did
    make_stable(stable_);
    encode(scratch_, stable_);
    hasher_.update(view(sha256(scratch_.bytes())));
    scratch_.bytes().clear();
    encode(scratch_, change);
    if (scratch_.bytes().size() > kMaxRecord)
      return fail("a manifest record is larger than 16 MiB", ExitCode::kDataError);
    out_.text(scratch_.bytes());
    ++count_;
    return out_.bytes().size() >= kFlushAt ? flush() : Result<void>{};
  }

  Result<Sha256> finish() override {
    const Sha256 root = hasher_.finish();
    out_.number(0);
    out_.number(count_);
    out_.raw(view(root));
    RH_CHECK(flush());
    return root;
  }

 private:
  Result<void> flush() {
    if (auto done = sys::write_all(file_.get(), out_.bytes()); !done) {
      return fail_errno(done.error().err, "cannot write the manifest", ExitCode::kCantCreate,
                        "free some space in the state directory");
    }
    out_.bytes().clear();
    return {};
  }

  UniqueFd file_;
  Encoder out_;
  Encoder scratch_;
  Change stable_;
  Sha256Hasher hasher_;
  std::uint64_t count_ = 0;
};

/// Buffered reading with the offset for error messages.
class Input {
 public:
  explicit Input(int fd) : fd_(fd) {}

  bool byte(std::uint8_t& value) {
    if (at_ == end_ && !fill()) return false;
    value = static_cast<std::uint8_t>(buffer_[at_++]);
    ++offset_;
    return true;
  }
  bool number(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      std::uint8_t one = 0;
      if (!byte(one)) return false;
      value |= std::uint64_t{one & 0x7fU} << shift;
      if (one < 0x80) return true;
    }
    return false;
  }
  /// Appends in pieces, so that a false length costs no memory.
  bool bytes(std::uint64_t size, std::string& value) {
    value.clear();
    while (value.size() < size) {
      if (at_ == end_ && !fill()) return false;
      const std::size_t take =
          static_cast<std::size_t>(std::min<std::uint64_t>(size - value.size(), end_ - at_));
      value.append(buffer_.get() + at_, take);
      at_ += take;
      offset_ += take;
    }
    return true;
  }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }

 private:
  bool fill() {
    ssize_t n = 0;
    do {
      n = ::pread(fd_, buffer_.get(), kFlushAt, static_cast<off_t>(offset_));
    } while (n < 0 && errno == EINTR);
    at_ = 0;
    end_ = n > 0 ? static_cast<std::size_t>(n) : 0;
    return n > 0;
  }

  int fd_;
  // Not zeroed: of most manifests only the first page is used.
  std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(kFlushAt);
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::uint64_t offset_ = 0;
};

}  // namespace

Result<std::unique_ptr<ManifestWriter>> ManifestWriter::create(UniqueFd file) {
  return std::unique_ptr<ManifestWriter>(std::make_unique<FileWriter>(std::move(file)));
}

Result<void> read_manifest(int fd, const std::function<bool(const Change&)>& visit) {
  Input in(fd);
  const auto damaged = [&in](const char* what) {
    return fail("manifest: " + std::string(what) + " at byte " + std::to_string(in.offset()),
                ExitCode::kDataError, "the bundle is damaged; rehearse again");
  };
  std::string bytes;
  if (!in.bytes(kMagic.size(), bytes) || bytes != kMagic) return damaged("not a manifest of this version");
  std::uint64_t count = 0;
  while (true) {
    std::uint64_t size = 0;
    if (!in.number(size)) return damaged("cut off");
    if (size == 0) break;
    if (size > kMaxRecord) return damaged("a record is too long");
    if (!in.bytes(size, bytes)) return damaged("cut off");
    Decoder decoder(bytes);
    Change change;
    if (!decode(decoder, change)) return damaged("malformed record");
    ++count;
    if (!visit(change)) return {};
  }
  std::uint64_t stated = 0;
  if (!in.number(stated) || !in.bytes(32, bytes)) return damaged("cut off");
  if (stated != count) return damaged("the number of records is wrong");
  std::uint8_t more = 0;
  if (in.byte(more)) return damaged("something follows the end");
  return {};
}

}  // namespace rehearse::effects
