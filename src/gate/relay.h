// A connection that a rule passes: the gate connects from the host's side and moves the bytes.
//
// The client's first packet waits (door.h) until the other side has accepted; if that refuses, so does the
// gate.
//
// What the client says is looked at (first_bytes.h) before it is forwarded if the rule is by name, of HTTP
// every request (request_watch.h), else its first bytes as they go by; the server may speak first.
//
// Bytes are copied, in pieces that fit into the second-level cache: a stream over loopback on two processors
// is two thirds as fast as a direct one, with pieces of 4 MiB half as fast, with 64 KiB too; splice(2) comes
// to the same (measured on Linux 6.18).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gate/connection.h"
#include "gate/first_bytes.h"
#include "gate/packet.h"
#include "gate/recorder.h"
#include "gate/request_watch.h"

namespace rehearse::gate {

class Relay final : public Connection {
 public:
  /// `synthetic`: the address stands for the record's name.
  Relay(EngineContext& context, ConnectionRecord record, const PassRule& rule, bool synthetic, Knock knock);
  ~Relay() override;

  /// Connects; once.
  void connect();
  /// Its first packet came again.
  void knock_again();
  [[nodiscard]] const Knock& knock() const { return knock_; }
  void begin(UniqueFd client) override;

 private:
  /// One direction.
  struct Flow {
    Flow(StreamSocket& source, StreamSocket& target, std::uint64_t& counter)
        : from(source), to(target), bytes(counter) {}
    StreamSocket& from;
    StreamSocket& to;
    std::uint64_t& bytes;   ///< that were taken on
    std::string held;       ///< was read and waits; counted in EngineContext::held
    std::size_t sent = 0;   ///< of held
    bool ended = false;     ///< nothing more comes
    bool finished = false;  ///< and the other side was told
  };
  enum class Step : std::uint8_t { kMoved, kWaits, kOver };

  void on_socket() override;
  void on_time() override;
  void on_end(bool with_reset) override;

  void resolve();
  void take_answer(const Resolver::Answer& answer);
  void connect_next();
  void check_connect();
  void pump();
  Step move(Flow& flow);
  Step push(Flow& flow);
  Step pull(Flow& flow);
  Step take_bytes(Flow& flow, std::string_view bytes);
  void took_on(Flow& flow, std::string_view bytes);
  Step take_end(Flow& flow);
  Step broken(const StreamSocket& side);
  void hold(Flow& flow, std::string_view bytes);
  void release(Flow& flow);
  void drain();
  bool inspect(std::string_view bytes);
  bool judge_first_bytes();
  bool hear(std::string_view bytes);
  bool refuse_unread();
  void refuse_request(std::string_view why, std::string host, std::string path);
  bool judge(const RequestAim& aim);
  [[nodiscard]] bool undecided() const;
  [[nodiscard]] bool server_is_no_http() const;
  [[nodiscard]] bool holds_back(const Flow& flow) const;
  [[nodiscard]] bool may_speak_to(const std::string& host) const;
  void set_timer();

  const PassRule& rule_;
  bool synthetic_;
  bool by_name_;
  Knock knock_;
  StreamSocket server_;
  Flow out_;
  Flow in_;
  std::vector<IpAddress> addresses_;  ///< still to be tried, the last first
  std::uint64_t question_ = 0;        ///< to the resolver, 0 if none is open
  bool connected_ = false;
  bool arrived_ = false;      ///< the client's socket is here
  int error_ = ECONNREFUSED;  ///< that the client sees if it is turned away
  FirstBytes first_;
  bool inspecting_ = true;  ///< it is not known yet what the client speaks
  bool watching_ = false;   ///< it speaks HTTP, to a name
  RequestWatch requests_;
  std::string greeting_;      ///< the first bytes that the server has said
  bool patient_ = true;       ///< undecided bytes are held back
  std::int64_t hold_ns_ = 0;  ///< how long
  bool used_up_ = false;      ///< the rule's bytes are: nothing more is read
  std::optional<Recorder> recorder_;
  std::int64_t connect_until_ns_ = 0;
  std::int64_t budget_ns_ = 0;  ///< when the rule's rate lets more through; 0: it does
};

}  // namespace rehearse::gate
