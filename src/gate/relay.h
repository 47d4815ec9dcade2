// A connection that a rule passes: the gate connects from the host's side and moves the bytes.
//
// What the client says first is looked at (first_bytes.h) before anything of it is forwarded if the rule is
// by name, else as it goes by; the server may speak first.
//
// Bytes are copied, in pieces as large as they come: with 4 MiB at once a stream is twice as fast as with
// splice(2) through the largest pipe, and with 64 KiB half as fast (measured on Linux 6.18, over loopback).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gate/connection.h"
#include "gate/first_bytes.h"
#include "gate/recorder.h"

namespace rehearse::gate {

class Relay final : public Connection {
 public:
  /// `synthetic`: the address stands for the record's name.
  Relay(EngineContext& context, ConnectionRecord record, const PassRule& rule, bool synthetic);
  ~Relay() override;

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
  Step take_end(Flow& flow);
  Step broken(const StreamSocket& side);
  void hold(Flow& flow, std::string_view bytes);
  void release(Flow& flow);
  bool inspect(std::string_view bytes);
  bool judge_first_bytes();
  [[nodiscard]] bool holds_back(const Flow& flow) const;
  [[nodiscard]] bool may_speak_to(const std::string& host) const;
  void set_timer();

  const PassRule& rule_;
  bool synthetic_;
  StreamSocket server_;
  Flow out_;
  Flow in_;
  std::vector<IpAddress> addresses_;  ///< still to be tried, the last first
  std::uint64_t question_ = 0;        ///< to the resolver, 0 if none is open
  bool connected_ = false;
  int connect_error_ = 0;
  FirstBytes first_;
  bool inspecting_ = true;
  std::optional<Recorder> recorder_;
  std::int64_t connect_until_ns_ = 0;
  std::int64_t budget_ns_ = 0;  ///< when the rule's rate lets more through; 0: it does
};

}  // namespace rehearse::gate
