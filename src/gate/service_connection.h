// A connection whose other side is a service within the gate: mocked, replayed, or a name server.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gate/connection.h"
#include "gate/service.h"
#include "gate/tls_server.h"

namespace rehearse::gate {

enum class TlsUse : std::uint8_t {
  kNever,
  kAlways,
  kIfAsked,  ///< if the client's first byte is TLS's; the service waits for the client then
};

/// Holds at most kMostHeld bytes each way, and what TlsServer and the service hold.
class ServiceConnection final : public Connection, private Wire {
 public:
  static constexpr std::size_t kMostHeld = std::size_t{64} << 10U;

  ServiceConnection(EngineContext& context, ConnectionRecord record, std::unique_ptr<Service> service,
                    TlsUse tls)
      : Connection(context, std::move(record)), service_(std::move(service)), tls_use_(tls) {}

  void begin(UniqueFd client) override;

 private:
  // of Wire
  std::size_t send(std::string_view bytes) override;
  void finish() override;
  void reset() override;
  void wake_after(std::int64_t ns) override;
  void note(Exchange exchange) override;

  void on_socket() override;
  void on_time() override;
  void on_end(bool with_reset) override;

  void open();
  bool start_tls();
  void pump();
  bool step();
  bool receive();
  void take_ciphertext(std::string_view bytes);
  bool decrypt();
  bool offer(std::string_view bytes);
  bool give_room();
  bool tell_end();
  bool flush();
  void settle();
  [[nodiscard]] std::size_t room() const;
  void set_timer();

  std::unique_ptr<Service> service_;
  TlsUse tls_use_;
  std::unique_ptr<TlsServer> tls_;
  bool opened_ = false;
  std::string encrypted_;  ///< of the client, for which TLS had no room yet
  std::string held_;       ///< of the client, that the service has not taken yet
  std::string out_;        ///< for the client
  std::size_t sent_ = 0;   ///< of out_
  bool heard_ = false;     ///< the service got a byte
  bool stalled_ = false;   ///< the service takes no bytes until it is called for another reason
  bool starved_ = false;   ///< it has more to send than there was room for
  bool no_more_ = false;   ///< the client sends nothing more
  bool end_told_ = false;
  bool finishing_ = false;  ///< the service sends nothing more
  bool finished_ = false;   ///< and the client was told
  std::int64_t wake_ns_ = 0;
};

}  // namespace rehearse::gate
