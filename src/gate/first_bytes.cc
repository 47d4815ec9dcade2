#include "gate/first_bytes.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"

namespace rehearse::gate {
namespace {

/// "example.com:80" and "[::1]:80" without the port. What servers might read in two ways is left as it is,
/// and is nobody's name.
std::string_view without_port(std::string_view authority) {
  const std::size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  const std::size_t colon = std::min(authority.find(':', bracket), authority.size());
  const std::string_view host = authority.substr(0, colon);
  const std::string_view port = authority.substr(std::min(colon + 1, authority.size()));
  return std::ranges::all_of(port, is_ascii_digit) ? host : authority;
}

/// "user:password@example.com" without who asks.
std::string_view without_user(std::string_view authority) {
  const std::size_t at = authority.find('@');
  if (at == std::string_view::npos || authority.find('\\') < at) return authority;
  return authority.substr(at + 1);
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
  if (state_ != State::kNeedMore) return state_;
  const bool broken = request_.begun() || guess_.end() == RequestGuess::State::kBroken;
  return state_ = broken ? State::kBroken : State::kOther;
}

void FirstBytes::feed_http(std::string_view bytes) {
  if (!request_.begun()) {
    const RequestGuess::State guess = guess_.feed(bytes);
    if (guess == RequestGuess::State::kOther) state_ = State::kOther;
    if (guess == RequestGuess::State::kBroken) state_ = State::kBroken;
    if (guess != RequestGuess::State::kHttp) return;
    bytes = guess_.text();
  }
  request_.feed(bytes);
  if (request_.state() == HttpParser::State::kHead) return;
  if (request_.state() == HttpParser::State::kBroken) {
    state_ = State::kBroken;
    return;
  }
  aim_ = aim_of(request_.message());
  state_ = State::kHttp;
  guess_ = {};
}

RequestAim aim_of(std::string_view method, std::string_view target, const std::vector<Header>& headers) {
  RequestAim aim;
  const std::string_view authority = method == "CONNECT" ? target : authority_of(target);
  const auto host = std::ranges::find_if(
      headers, [](const Header& header) { return equal_ignoring_case(header.name, "Host"); });
  if (host != headers.end()) aim.host = without_port(host->value);
  if (!authority.empty()) aim.other_host = std::exchange(aim.host, without_port(without_user(authority)));
  aim.path = target_path(target);
  return aim;
}

RequestAim aim_of(const HttpMessage& request) {
  return aim_of(request.method, request.target, request.headers);
}

std::string plain_host(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return ascii_lower(host);
}

}  // namespace rehearse::gate
