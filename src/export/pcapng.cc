#include "export/pcapng.h"

namespace rehearse::exporting {
namespace {

constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint16_t kLinkRaw = 101;

constexpr std::uint16_t kEndOfOptions = 0;
constexpr std::uint16_t kComment = 1;
constexpr std::uint16_t kSystem = 3;       // of a section
constexpr std::uint16_t kApplication = 4;  // of a section
constexpr std::uint16_t kName = 2;         // of an interface
constexpr std::uint16_t kResolution = 9;   // of an interface

constexpr std::size_t kMostOption = 65535;

/// Not within a character: continuation bytes begin with 10.
std::string_view cut(std::string_view text) {
  if (text.size() <= kMostOption) return text;
  std::size_t size = kMostOption;
  while (size > kMostOption - 4 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) --size;
  return text.substr(0, size);
}

}  // namespace

void PcapngWriter::put16(std::uint16_t value) {
  out_ += static_cast<char>(value & 0xffU);
  out_ += static_cast<char>(value >> 8U);
}
void PcapngWriter::put32(std::uint32_t value) {
  put16(static_cast<std::uint16_t>(value & 0xffffU));
  put16(static_cast<std::uint16_t>(value >> 16U));
}

void PcapngWriter::put_padded(std::string_view bytes) {
  out_ += bytes;
  out_.append((4 - bytes.size() % 4) % 4, '\0');
}

std::size_t PcapngWriter::open_block(std::uint32_t type) {
  const std::size_t begun = out_.size();
  put32(type);
  put32(0);
  return begun;
}

void PcapngWriter::close_block(std::size_t begun) {
  const auto size = static_cast<std::uint32_t>(out_.size() - begun + 4);
  put32(size);
  out_.replace(begun + 4, 4, out_.substr(out_.size() - 4));
}

void PcapngWriter::option(std::uint16_t code, std::string_view value) {
  put16(code);
  put16(static_cast<std::uint16_t>(value.size()));
  put_padded(value);
}

void PcapngWriter::text_option(std::uint16_t code, std::string_view text) {
  if (!text.empty()) option(code, cut(text));
}

void PcapngWriter::section(const Section& section) {
  const std::size_t block = open_block(kSectionHeader);
  put32(kByteOrder);
  put16(1);  // version 1.0
  put16(0);
  put32(0xffffffff);  // of unknown length
  put32(0xffffffff);
  text_option(kComment, section.comment);
  text_option(kSystem, section.system);
  text_option(kApplication, section.application);
  option(kEndOfOptions, {});
  close_block(block);
  interfaces_ = 0;
}

std::uint32_t PcapngWriter::interface(std::string_view name) {
  const std::size_t block = open_block(kInterfaceDescription);
  put16(kLinkRaw);
  put16(0);
  put32(0);  // packets are not cut
  text_option(kName, name);
  option(kResolution, "\x09");  // 10^-9 s
  option(kEndOfOptions, {});
  close_block(block);
  return interfaces_++;
}

void PcapngWriter::packet(const Packet& packet) {
  const std::size_t block = open_block(kEnhancedPacket);
  const auto time = static_cast<std::uint64_t>(packet.time_ns);
  put32(packet.interface);
  put32(static_cast<std::uint32_t>(time >> 32U));
  put32(static_cast<std::uint32_t>(time));
  put32(static_cast<std::uint32_t>(packet.bytes.size()));
  put32(packet.original_size);
  put_padded(packet.bytes);
  if (!packet.comment.empty()) {
    text_option(kComment, packet.comment);
    option(kEndOfOptions, {});
  }
  close_block(block);
}

}  // namespace rehearse::exporting
