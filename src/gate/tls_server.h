// The server's side of TLS over memory: the owner moves the bytes.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gate/certificate_authority.h"
#include "gate/openssl.h"

namespace rehearse::gate {

/// What the connections to mocked services have in common: TLS 1.2 and 1.3, no sessions to resume; no
/// renegotiation and no compression, as OpenSSL 3 has it unless it is told to. Not thread safe; the authority
/// has to outlive it, and it its connections.
class TlsContext {
 public:
  /// `protocols`, best first, are what may be agreed on by ALPN; a client that offers only others is refused
  /// (RFC 7301). Empty: whatever a client offers is passed over.
  static Result<std::unique_ptr<TlsContext>> create(CertificateAuthority& authority,
                                                    std::vector<std::string> protocols = {"http/1.1"});
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext() = default;

 private:
  friend class TlsServer;
  TlsContext(CertificateAuthority& authority, std::vector<std::string> protocols)
      : authority_(authority), protocols_(std::move(protocols)) {}

  static int note_hello(SSL* ssl, int* alert, void* nothing) noexcept;
  static int choose_certificate(SSL* ssl, void* self) noexcept;
  static int choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* size,
                             const unsigned char* offered, unsigned offered_size, void* self) noexcept;

  CertificateAuthority& authority_;
  std::vector<std::string> protocols_;
  UniqueSslContext context_;
};

/// One connection. In a loop: feed() what the client sent, read() until that is empty, write() the answer,
/// send what take() gives. Nothing is held beyond kMostPending bytes each way and what one read of the former
/// can make of the latter: feed() and write() take less than they are given, or nothing, when the other side
/// has to be emptied first. Not thread safe.
class TlsServer {
 public:
  enum class State {
    kHandshake,
    kOpen,
    kEnded,   ///< the client has said that it sends no more (close_notify); writing still works
    kFailed,  ///< failure() says why; take() may still have an alert for the client
  };
  static constexpr std::size_t kMostPending = std::size_t{64} << 10U;

  /// `default_name` is what to be certified as when the client does not name a server: the name or the
  /// address that it connected to.
  static Result<std::unique_ptr<TlsServer>> create(TlsContext& context, std::string_view default_name);
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ~TlsServer() = default;

  /// Takes bytes from the client; how many. After its end all are taken and dropped, after a failure none.
  std::size_t feed(std::string_view ciphertext);
  /// At most `most` bytes of what the client said; "" if there are none yet, or none any more.
  std::string read(std::size_t most);
  /// Takes bytes for the client; how many.
  std::size_t write(std::string_view plaintext);
  /// Says that no more will be written.
  void finish();
  /// What is to be sent to the client, all of it; "" if nothing.
  std::string take();

  [[nodiscard]] State state() const { return state_; }
  /// OpenSSL's reason, as "tlsv1 alert unknown ca": the client did not trust the run's authority.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  /// The server that the client named (SNI), as it was sent; empty if it named none, or before it has.
  [[nodiscard]] const std::string& server_name() const { return server_name_; }
  /// What ALPN agreed on, "" if nothing; and "TLSv1.3". Of an open connection.
  [[nodiscard]] std::string protocol() const;
  [[nodiscard]] std::string version() const;

 private:
  friend class TlsContext;
  explicit TlsServer(std::string_view default_name) : default_name_(default_name) {}

  void shake_hands();
  void fail_with(std::string reason);
  [[nodiscard]] std::size_t room_out() const;

  std::string default_name_;
  std::string server_name_;
  std::string failure_;
  State state_ = State::kHandshake;
  UniqueSsl ssl_;
  BIO* in_ = nullptr;  ///< ssl_ owns both
  BIO* out_ = nullptr;
};

}  // namespace rehearse::gate
