#include "gate/first_bytes.h"

#include <algorithm>

#include "base/ascii.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kLongestMethod = 20;

enum class Guess : std::uint8_t { kUnclear, kHttp, kOther };

/// Is that how a request of HTTP/1 begins? Empty lines may stand before it (RFC 9112 2.2).
Guess guess_http(std::string_view bytes) {
  bytes.remove_prefix(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
  const std::size_t end = bytes.find('\n');
  const std::string_view line = bytes.substr(0, end);
  const std::string_view method = line.substr(0, line.find(' '));
  if (method.size() > kLongestMethod || (!method.empty() && !is_http_token(method))) return Guess::kOther;
  const auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < ' ' && c != '\r' && c != '\t';
  };
  if (line.size() > kLongestStartLine || std::ranges::any_of(line, is_control)) return Guess::kOther;
  if (end == std::string_view::npos) return Guess::kUnclear;
  return line.find(" HTTP/1.") == std::string_view::npos ? Guess::kOther : Guess::kHttp;
}

/// "example.com:80" and "[::1]:80" without the port, "user@" before them left out.
std::string_view without_port(std::string_view authority) {
  authority.remove_prefix(authority.find('@') == std::string_view::npos ? 0 : authority.rfind('@') + 1);
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

/// Of "http://example.com/a" "example.com"; empty if the target has none.
std::string_view authority_of(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (target.starts_with('/') || scheme == std::string_view::npos) return {};
  const std::string_view rest = target.substr(scheme + 3);
  return rest.substr(0, rest.find_first_of("/?#"));
}

}  // namespace

FirstBytes::State FirstBytes::feed(std::string_view bytes) {
  if (state_ != State::kNeedMore || bytes.empty()) return state_;
  switch (hello_.feed(bytes)) {
    case ClientHelloParser::State::kNeedMore:
      break;
    case ClientHelloParser::State::kHello:
      state_ = State::kTls;
      break;
    case ClientHelloParser::State::kMalformed:
      state_ = State::kBroken;
      break;
    case ClientHelloParser::State::kNotTls:
      feed_http(bytes);
      break;
  }
  return state_;
}

FirstBytes::State FirstBytes::end() {
  if (state_ == State::kNeedMore) state_ = request_.begun() ? State::kBroken : State::kOther;
  return state_;
}

void FirstBytes::feed_http(std::string_view bytes) {
  if (!request_.begun()) {
    line_ += bytes;
    const Guess guess = guess_http(line_);
    if (guess == Guess::kOther) state_ = State::kOther;
    if (guess != Guess::kHttp) return;
    bytes = line_;
  }
  request_.feed(bytes);
  if (request_.state() == HttpParser::State::kHead) return;
  if (request_.state() == HttpParser::State::kBroken) {
    state_ = State::kBroken;
    return;
  }
  aim_ = aim_of(request_.message());
  state_ = State::kHttp;
  line_.clear();
}

RequestAim aim_of(const HttpMessage& request) {
  RequestAim aim;
  const std::string_view authority = authority_of(request.target);
  const std::string* const host = request.header("Host");
  if (!authority.empty() || request.method == "CONNECT") {
    aim.host = without_port(authority.empty() ? std::string_view(request.target) : authority);
  } else if (host != nullptr) {
    aim.host = without_port(*host);
  }
  aim.path = target_path(request.target);
  return aim;
}

std::string plain_host(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return ascii_lower(host);
}

}  // namespace rehearse::gate
