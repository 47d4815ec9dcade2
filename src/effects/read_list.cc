#include "effects/read_list.h"

#include <cstring>

#include "base/codec.h"
#include "effects/record_file.h"

namespace rehearse::effects {
namespace {

constexpr std::string_view kMagic = "RHREADS1";
constexpr const char* kWhat = "read set";

constexpr unsigned kMoved = 1, kHasGeneration = 2, kHasSha256 = 4, kLink = 8;
constexpr unsigned kAllFlags = kMoved | kHasGeneration | kHasSha256 | kLink;
constexpr std::uint64_t kAllUses =
    kReadOpened | kReadExecuted | kReadListed | kReadAttributes | kReadPresent | kReadAbsent;

void encode(Encoder& out, const HostRead& read) {
  out.text(read.path);
  out.number(read.uses);
  out.number(static_cast<std::uint64_t>(read.source));
  out.number((read.moved ? kMoved : 0U) | (read.identity.generation ? kHasGeneration : 0U) |
             (read.sha256 ? kHasSha256 : 0U) | (read.link ? kLink : 0U));
  out.number(read.identity.dev);
  out.number(read.identity.ino);
  if (read.identity.generation) out.number(*read.identity.generation);
  out.signed_number(read.identity.ctime_ns);
  out.number(read.identity.size);
  out.number(read.identity.mode);
  if (read.sha256) out.raw({reinterpret_cast<const char*>(read.sha256->data()), read.sha256->size()});
}

bool decode(Decoder& in, HostRead& read) {
  read.path = in.text();
  const std::uint64_t uses = in.number();
  const std::uint64_t source = in.number();
  const std::uint64_t flags = in.number();
  if (uses > kAllUses || source > static_cast<std::uint64_t>(ReadSource::kHost) || flags > kAllFlags)
    return false;
  read.uses = static_cast<std::uint8_t>(uses);
  read.source = static_cast<ReadSource>(source);
  read.moved = (flags & kMoved) != 0;
  read.link = (flags & kLink) != 0;
  read.identity.dev = in.number();
  read.identity.ino = in.number();
  if ((flags & kHasGeneration) != 0) read.identity.generation = in.number32();
  read.identity.ctime_ns = in.signed_number();
  read.identity.size = in.number();
  read.identity.mode = in.number32();
  if ((flags & kHasSha256) != 0) {
    const std::string_view digest = in.raw(32);
    read.sha256.emplace();
    if (digest.size() == 32) std::memcpy(read.sha256->data(), digest.data(), 32);
  }
  return in.good() && in.done();
}

}  // namespace

Result<Sha256> write_read_list(UniqueFd file, std::span<const HostRead> reads) {
  RecordFileWriter writer(std::move(file), kMagic, kWhat);
  Encoder record;
  for (const HostRead& read : reads) {
    record.bytes().clear();
    encode(record, read);
    RH_CHECK(writer.add(record.bytes(), record.bytes()));
  }
  return writer.finish();
}

Result<void> read_read_list(int fd, const std::function<bool(const HostRead&)>& visit) {
  return read_records(fd, kMagic, kWhat, [&](std::string_view record, std::string& counted) {
    Decoder decoder(record);
    HostRead read;
    if (!decode(decoder, read)) return Visit::kMalformed;
    counted.assign(record);
    return visit(read) ? Visit::kGoOn : Visit::kStop;
  });
}

}  // namespace rehearse::effects
