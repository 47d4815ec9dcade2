// Captures in the pcapng format (draft-ietf-opsawg-pcapng): what Wireshark, tshark and tcpdump read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rehearse::exporting {

/// Appends the blocks of one section to a string that the caller may drain between calls. Begin with
/// section(), then the interfaces, then their packets. Little-endian.
///
/// Texts are UTF-8 and are cut at a character so that they fit into an option (65535 bytes). Readers print
/// comments as they are: what the action chose has to be escaped before.
class PcapngWriter {
 public:
  explicit PcapngWriter(std::string& out) : out_(out) {}

  struct Section {
    std::string_view system;       ///< operating system of the host; none if empty
    std::string_view application;  ///< that writes; none if empty
    std::string_view comment;      ///< none if empty
  };
  void section(const Section& section);

  /// An interface whose packets begin with their IPv4 or IPv6 head (LINKTYPE_RAW), its times in nanoseconds.
  /// Gives its number: 0 for the first.
  std::uint32_t interface(std::string_view name);

  struct Packet {
    std::uint32_t interface = 0;
    std::int64_t time_ns = 0;         ///< since the epoch
    std::string_view bytes;           ///< what is kept of it, at most 4 GiB - 1
    std::uint32_t original_size = 0;  ///< that it had on the wire, as many or more
    std::string_view comment;         ///< none if empty
  };
  void packet(const Packet& packet);

 private:
  /// The block's place, for close_block(), which fills in its length.
  std::size_t open_block(std::uint32_t type);
  void close_block(std::size_t begun);
  void option(std::uint16_t code, std::string_view value);
  void text_option(std::uint16_t code, std::string_view text);
  void put16(std::uint16_t value);
  void put32(std::uint32_t value);
  void put_padded(std::string_view bytes);

  std::string& out_;
  std::uint32_t interfaces_ = 0;
};

}  // namespace rehearse::exporting
