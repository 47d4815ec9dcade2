// The first message of a TLS client, read without being a party to the connection (RFC 8446 4.1.2, RFC 5246
// 7.4.1.2; extensions RFC 6066, RFC 7301).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::gate {

/// What it says. Every byte is the client's choice.
struct ClientHello {
  std::string server_name;              ///< SNI; empty if there is none
  std::vector<std::string> protocols;   ///< ALPN, best first
  std::vector<std::uint16_t> versions;  ///< as offered, best first: 0x0304 is TLS 1.3; without GREASE
  /// The encrypted_client_hello extension (RFC 9849) is there: the name may be a cover for another. Browsers
  /// send it as a decoy too.
  bool encrypted = false;
};

/// Takes what a client sends until it is known what it is. Holds at most kMostHello bytes and one record.
/// Not thread safe.
class ClientHelloParser {
 public:
  enum class State {
    kNeedMore,   ///< could still become a hello
    kNotTls,     ///< the first bytes are no TLS record of a handshake
    kHello,      ///< hello() is complete
    kMalformed,  ///< TLS, but no hello that a server would take
  };
  /// Twice what clients with post-quantum keys and many tickets send.
  static constexpr std::size_t kMostHello = 32768;

  /// The next bytes of the connection, in pieces of any size. Once the state is another than kNeedMore it
  /// stays, and bytes are ignored.
  State feed(std::string_view bytes);
  [[nodiscard]] State state() const { return state_; }
  /// Of kHello only.
  [[nodiscard]] const ClientHello& hello() const { return hello_; }

 private:
  State take_head(std::string_view& bytes);
  State take_fragment(std::string_view& bytes);

  State state_ = State::kNeedMore;
  std::string head_;          ///< of the current record, five bytes at most
  std::size_t fragment_ = 0;  ///< bytes of the current record that are still to come
  std::string message_;       ///< of the handshake, as far as it has come
  ClientHello hello_;
};

}  // namespace rehearse::gate
