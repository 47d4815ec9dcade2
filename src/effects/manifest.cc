#include "effects/manifest.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/codec.h"
#include "effects/record_file.h"

// A record: kind, type, flags, layer, then strings, then `before` and `after` if the flags say so (codec.h).

namespace rehearse::effects {
namespace {

constexpr std::string_view kMagic = "RHMANIF1";

constexpr unsigned kHasBefore = 1, kHasAfter = 2, kMasked = 4, kBaseMoved = 8;          // of a record
constexpr unsigned kHasGeneration = 1, kHasLinkGroup = 2, kHasSha256 = 4, kSparse = 8;  // of attributes

std::string_view view(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

void encode(Encoder& out, const Attributes& a) {
  out.number((a.generation ? kHasGeneration : 0U) | (a.link_group ? kHasLinkGroup : 0U) |
             (a.sha256 ? kHasSha256 : 0U) | (a.sparse ? kSparse : 0U));
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

Attributes decode_attributes(Decoder& in) {
  Attributes a;
  const std::uint64_t flags = in.number();
  a.dev = in.number();
  a.ino = in.number();
  if ((flags & kHasGeneration) != 0) a.generation = in.number();
  a.ctime_ns = in.signed_number();
  a.mtime_ns = in.signed_number();
  a.mode = in.number32();
  a.uid = in.number32();
  a.gid = in.number32();
  a.size = in.number();
  a.blocks = in.number();
  a.nlink = in.number();
  if ((flags & kHasLinkGroup) != 0) a.link_group = in.number();
  a.rdev = in.number();
  a.target = in.text();
  a.sparse = (flags & kSparse) != 0;
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
  a.flags = in.number32();
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
  change.layer = in.number32();
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
  explicit FileWriter(UniqueFd file) : file_(std::move(file), kMagic, "manifest") {}

  Result<void> add(const Change& change) override {
    stable_ = change;  // whose strings lie where those of the last record did
    make_stable(stable_);
    counted_.bytes().clear();
    encode(counted_, stable_);
    record_.bytes().clear();
    encode(record_, change);
    return file_.add(record_.bytes(), counted_.bytes());
  }

  Result<Sha256> finish() override { return file_.finish(); }

 private:
  RecordFileWriter file_;
  Encoder record_;
  Encoder counted_;
  Change stable_;
};

}  // namespace

Result<std::unique_ptr<ManifestWriter>> ManifestWriter::create(UniqueFd file) {
  return std::unique_ptr<ManifestWriter>(std::make_unique<FileWriter>(std::move(file)));
}

Result<void> read_manifest(int fd, const std::function<bool(const Change&)>& visit) {
  Encoder counted;
  return read_records(fd, kMagic, "manifest", [&](std::string_view record, std::string& covered) {
    Decoder decoder(record);
    Change change;
    if (!decode(decoder, change)) return Visit::kMalformed;
    if (!visit(change)) return Visit::kStop;
    make_stable(change);
    counted.bytes().clear();
    encode(counted, change);
    covered = counted.bytes();
    return Visit::kGoOn;
  });
}

}  // namespace rehearse::effects
