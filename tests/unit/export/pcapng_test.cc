#include "export/pcapng.h"

#include <vector>

#include "../gate/peer.h"
#include "little_endian.h"

using namespace rehearse;
using namespace rehearse::exporting;
using namespace rehearse::exporting::testing;
using namespace rehearse::gate::testing;

namespace {

/// 10.0.0.1:5353 to 198.18.0.7:53, UDP, with `payload`. No checksums: the file's readers do not ask.
std::string udp_packet(const std::string& payload) {
  const auto be = [](std::size_t value) {
    return std::string{static_cast<char>(value >> 8U), static_cast<char>(value)};
  };
  return "\x45" + std::string(1, '\0') + be(28 + payload.size()) + std::string(4, '\0') + "\x40\x11" +
         std::string(2, '\0') + std::string("\x0a\0\0\1", 4) + std::string("\xc6\x12\0\7", 4) + be(5353) +
         be(53) + be(8 + payload.size()) + std::string(2, '\0') + payload;
}

/// A section of two packets.
std::string capture() {
  std::string out;
  PcapngWriter writer(out);
  writer.section({"Linux 6.1", "rehearse 0.1.0", "run 20261124-020515-abcdef"});
  const std::uint32_t number = writer.interface("sandbox");
  const std::string first = udp_packet("12345");
  writer.packet(
      {number, 1'795'500'315'123'456'789, first, static_cast<std::uint32_t>(first.size()), "denied"});
  writer.packet({number, 1'795'500'316'000'000'001, std::string_view(first).substr(0, 28), 1000, {}});
  return out;
}

/// The blocks' types; fails where a length is not the same on both ends or does not lead to the next block.
std::vector<std::uint32_t> block_types(const std::string& bytes) {
  std::vector<std::uint32_t> types;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::uint32_t size = le32(bytes, at + 4);
    REQUIRE(size % 4 == 0);
    REQUIRE(size >= 12);
    REQUIRE(le32(bytes, at + size - 4) == size);
    types.push_back(le32(bytes, at));
    at += size;
  }
  return types;
}

class CaptureFile {
 public:
  explicit CaptureFile(const std::string& bytes) {
    const UniqueFd file(::mkstemp(path_.data()));
    REQUIRE(::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;
  ~CaptureFile() { ::unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/rehearse-unit-export-XXXXXX";
};

}  // namespace

TEST_CASE("a capture is a chain of blocks that lead to each other") {
  const std::string bytes = capture();
  CHECK(block_types(bytes) == std::vector<std::uint32_t>{0x0a0d0d0a, 1, 6, 6});
  CHECK(le32(bytes, 8) == 0x1a2b3c4d);
  const std::size_t interface = le32(bytes, 4);
  CHECK(le32(bytes, interface + 8) == 101);
  const std::size_t packet = interface + le32(bytes, interface + 4);
  CHECK(le32(bytes, packet + 8) == 0);
  CHECK((std::uint64_t{le32(bytes, packet + 12)} << 32U | le32(bytes, packet + 16)) ==
        1'795'500'315'123'456'789);
  CHECK(le32(bytes, packet + 20) == 33);
  CHECK(le32(bytes, packet + 24) == 33);
  CHECK(bytes.substr(packet + 28, 33) == udp_packet("12345"));
}

TEST_CASE(
    "every size of packet and comment keeps the blocks aligned; a comment that is too long is cut at a "
    "character") {
  std::string out;
  PcapngWriter writer(out);
  writer.section({});
  CHECK(writer.interface("a") == 0);
  CHECK(writer.interface("") == 1);
  for (std::size_t size = 0; size < 9; ++size)
    writer.packet({1, 0, std::string(size, 'p'), static_cast<std::uint32_t>(size), std::string(size, 'c')});
  CHECK(block_types(out).size() == 12);
  out.clear();
  std::string wide;
  while (wide.size() < 70'000) wide += "漢";
  writer.packet({1, 0, {}, 0, wide});
  CHECK(block_types(out).size() == 1);
  CHECK(le32(out, 28) == (std::uint32_t{65535} << 16U | 1U));  // 21845 characters
  out.clear();
  writer.packet({1, 0, {}, 0, "x" + wide});
  CHECK(le32(out, 28) == (std::uint32_t{65533} << 16U | 1U));
}

TEST_CASE("tshark reads times, addresses and comments") {
  if (!have("tshark")) return;
  const CaptureFile file(capture());
  const Ran ran =
      run("tshark -r " + file.path() +
          " -T fields -e frame.time_epoch -e ip.src -e ip.dst -e udp.dstport -e frame.len -e frame.cap_len"
          " -e frame.comment -e frame.interface_name 2>/dev/null");
  CHECK(ran.status == 0);
  CHECK(ran.output ==
        "1795500315.123456789\t10.0.0.1\t198.18.0.7\t53\t33\t33\tdenied\tsandbox\n"
        "1795500316.000000001\t10.0.0.1\t198.18.0.7\t53\t1000\t28\t\tsandbox\n");
}

TEST_CASE("tcpdump reads times and addresses") {
  if (!have("tcpdump")) return;
  const CaptureFile file(capture());
  const Ran ran = run("tcpdump -nn -tt --nano -r " + file.path() + " 2>/dev/null");
  CHECK(ran.status == 0);
  INFO(ran.output);
  CHECK(ran.output.starts_with("1795500315.123456789 IP 10.0.0.1.5353 > 198.18.0.7.53: "));
}
