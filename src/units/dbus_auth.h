// The handshake before D-Bus messages: SASL as sd-bus speaks it on /run/systemd/private.
//
// Source: D-Bus Specification 0.42, "Authentication Protocol"; systemd 252 to 257: the client sends a NUL,
// then AUTH EXTERNAL, DATA, NEGOTIATE_UNIX_FD and BEGIN at once, without waiting for answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rehearse::units {

/// The server's side. EXTERNAL (as the user the kernel names) and ANONYMOUS; descriptors are declined.
class AuthServer {
 public:
  /// `uid`: of the peer, as the peer itself sees it; a client that claims another is rejected. `guid`: 32
  /// hexadecimal digits that name this server.
  AuthServer(std::uint32_t uid, std::string guid) : uid_(uid), guid_(std::move(guid)) {}

  /// Takes complete lines off the front of `input`, which grows to kMaxHandshake at most, and appends answers
  /// to `output`. After BEGIN done() is true and `input` begins with the first message. kDataError on what no
  /// client sends.
  Result<void> receive(std::string& input, std::string& output);
  [[nodiscard]] bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kNul, kWaiting, kData, kAccepted, kDone };
  std::string answer(std::string_view line);
  std::string check(std::string_view mechanism, std::string_view response);

  State state_ = State::kNul;
  std::string mechanism_;
  std::size_t lines_ = 0;
  std::uint32_t uid_;
  std::string guid_;
};

inline constexpr std::size_t kMaxHandshake = 4096;

/// What a client sends before its first message, which may follow at once.
std::string_view client_handshake();
/// The answers to it: takes them off the front of `input`. False while more is to come.
Result<bool> accept_handshake(std::string& input);

}  // namespace rehearse::units
