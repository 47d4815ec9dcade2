#include "units/dbus_auth.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/escape.h"

namespace rehearse::units {
namespace {

constexpr std::string_view kEnd = "\r\n";
/// Lines of one handshake: sd-bus sends four.
constexpr std::size_t kMaxLines = 16;

std::string_view next_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool is_hex(std::string_view text) {
  return text.size() % 2 == 0 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

}  // namespace

std::string AuthServer::check(std::string_view mechanism, std::string_view response) {
  // An identity is optional. That of ANONYMOUS is a trace for people; that of EXTERNAL is a user id in
  // digits.
  const bool named = !response.empty() && mechanism == "EXTERNAL";
  if (!is_hex(response) || (named && response != hex(std::to_string(uid_)))) {
    state_ = State::kWaiting;
    return "REJECTED EXTERNAL ANONYMOUS";
  }
  state_ = State::kAccepted;
  return "OK " + guid_;
}

std::string AuthServer::answer(std::string_view line) {
  const std::string_view command = next_word(line);
  if (command == "AUTH") {
    const std::string_view mechanism = next_word(line);
    if (mechanism != "EXTERNAL" && mechanism != "ANONYMOUS") {
      state_ = State::kWaiting;
      return "REJECTED EXTERNAL ANONYMOUS";
    }
    mechanism_ = mechanism;
    if (!line.empty()) return check(mechanism, line);
    state_ = State::kData;
    return "DATA";
  }
  if (command == "DATA" && state_ == State::kData) return check(mechanism_, line);
  if (command == "CANCEL" || command == "ERROR") {
    state_ = State::kWaiting;
    return "REJECTED EXTERNAL ANONYMOUS";
  }
  if (command == "BEGIN" && state_ == State::kAccepted) {
    state_ = State::kDone;
    return {};
  }
  return "ERROR";  // NEGOTIATE_UNIX_FD among them
}

Result<void> AuthServer::receive(std::string& input, std::string& output) {
  if (state_ == State::kNul && !input.empty()) {
    if (input[0] != '\0') return fail("a D-Bus client has to begin with a NUL byte", ExitCode::kDataError);
    input.erase(0, 1);
    state_ = State::kWaiting;
  }
  while (!done()) {
    const std::size_t end = input.find(kEnd);
    if (end == std::string::npos) break;
    if (++lines_ > kMaxLines) return fail("a D-Bus handshake without end", ExitCode::kDataError);
    const std::string reply = answer(std::string_view(input).substr(0, end));
    if (!reply.empty()) (output += reply) += kEnd;
    input.erase(0, end + kEnd.size());
  }
  if (!done() && input.size() >= kMaxHandshake) {
    return fail("a line of a D-Bus handshake is too long", ExitCode::kDataError);
  }
  return {};
}

std::string_view client_handshake() {
  using namespace std::string_view_literals;
  return "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"sv;
}

Result<bool> accept_handshake(std::string& input) {
  // DATA, then OK and the server's name. systemd before 246 said OK to both.
  std::size_t begin = 0;
  for (const bool last : {false, true}) {
    const std::size_t end = input.find(kEnd, begin);
    if (end == std::string::npos) {
      if (input.size() >= kMaxHandshake) return fail("its handshake is too long", ExitCode::kDataError);
      return false;
    }
    std::string_view line = std::string_view(input).substr(begin, end - begin);
    const std::string_view word = next_word(line);
    if (word != "OK" && (last || word != "DATA")) {
      return fail(fmt::format("it refuses root: {}", escape_text(word, 64)), ExitCode::kFailure);
    }
    begin = end + kEnd.size();
  }
  input.erase(0, begin);
  return true;
}

}  // namespace rehearse::units
