#include "export/pcap.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "little_endian.h"

using namespace rehearse;
using namespace rehearse::exporting;
using namespace rehearse::exporting::testing;

namespace {

std::string piece(std::uint64_t number, std::uint32_t length, std::uint32_t offset, std::size_t bytes,
                  std::uint8_t way = RH_TO_GATE) {
  struct rh_packet head = {};
  std::string record(sizeof head + ((bytes + 7) & ~std::size_t{7}), '\0');
  head.head.size = static_cast<std::uint32_t>(record.size());
  head.head.kind = RH_PACKET;
  head.head.time_ns = 1000 + number;
  head.number = number;
  head.length = length;
  head.offset = offset;
  head.bytes = static_cast<std::uint32_t>(bytes);
  head.way = way;
  std::memcpy(record.data(), &head, sizeof head);
  std::memset(record.data() + sizeof head, static_cast<int>('a' + number), bytes);
  return record;
}

struct Block {
  std::uint32_t type = 0;
  std::uint32_t kept = 0;
  std::uint32_t original = 0;
};

std::vector<Block> packets(const std::string& bytes) {
  std::vector<Block> found;
  for (std::size_t at = 0; at < bytes.size(); at += le32(bytes, at + 4)) {
    REQUIRE(le32(bytes, at + 4) >= 12);
    const std::uint32_t type = le32(bytes, at);
    if (type == 6) found.push_back({type, le32(bytes, at + 20), le32(bytes, at + 24)});
  }
  return found;
}

std::vector<Block> export_all(const std::vector<std::string>& records, const std::string& summary = "{}",
                              std::uint64_t* left_out = nullptr) {
  RunFacts run;
  run.id = "20261124-020515-abcdef";
  report::Writer out;
  PcapExporter exporter(run, out);
  for (const std::string& record : records) {
    std::vector<std::uint64_t> aligned(record.size() / 8);
    std::memcpy(aligned.data(), record.data(), record.size());
    const auto read = trace::Record::at({reinterpret_cast<const char*>(aligned.data()), record.size()});
    REQUIRE(read);
    CHECK(exporter.add(*read));
  }
  CHECK(exporter.finish(summary));
  if (left_out != nullptr) *left_out = exporter.left_out();
  auto found = packets(out.text());
  CHECK(found.size() == exporter.packets());
  return found;
}

}  // namespace

TEST_CASE("pieces of a packet are put together, whatever comes between") {
  const auto found = export_all({piece(0, 70'000, 0, RH_PIECE), piece(1, 60, 0, 60, RH_FROM_GATE),
                                 piece(0, 70'000, RH_PIECE, RH_PIECE),
                                 piece(0, 70'000, 2 * RH_PIECE, 70'000 - 2 * RH_PIECE)});
  REQUIRE(found.size() == 2);
  CHECK(found[0].kept == 60);
  CHECK(found[1].kept == 70'000);
  CHECK(found[1].original == 70'000);
}

TEST_CASE("a packet whose rest found no room is shown as cut") {
  const auto found = export_all({piece(0, 50'000, 0, RH_PIECE)});
  REQUIRE(found.size() == 1);
  CHECK(found[0].kept == RH_PIECE);
  CHECK(found[0].original == 50'000);
}

TEST_CASE("pieces that no kernel wrote make no packet") {
  CHECK(export_all({piece(0, 50'000, 8, 8)}).empty());
  CHECK(export_all({piece(0, 8, 0, 8), piece(0, 8, 99, 8)}).size() == 1);
  std::string longer = piece(0, 64, 0, 64);
  reinterpret_cast<struct rh_packet*>(longer.data())->bytes = 1U << 30U;
  CHECK(export_all({longer}).empty());
  std::vector<std::string> begun;
  for (std::uint64_t i = 0; i < 3000; ++i) begun.push_back(piece(i, 50'000, 0, RH_PIECE));
  CHECK(export_all(begun).size() == 3000);
}

TEST_CASE("what the summary says was left out is told") {
  std::uint64_t left_out = 0;
  (void)export_all({}, R"({"packets_left_out": 12})", &left_out);
  CHECK(left_out == 12);
  (void)export_all({}, "[", &left_out);
  CHECK(left_out == 0);
}
