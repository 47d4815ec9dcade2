#include "gate/request_watch.h"

namespace rehearse::gate {

std::vector<RequestAim> RequestWatch::from_client(std::string_view bytes) {
  std::vector<RequestAim> aims;
  while (!bytes.empty() && !broken()) {
    bytes.remove_prefix(parser_.feed(bytes));
    const HttpParser::State state = parser_.state();
    if (!told_ && (state == HttpParser::State::kBody || state == HttpParser::State::kComplete)) {
      told_ = true;
      aims.push_back(aim_of(parser_.message()));
      connect_ = connect_ || parser_.message().method == "CONNECT";
      upgrade_ = upgrade_ || parser_.message().header("Upgrade") != nullptr;
    }
    if (state != HttpParser::State::kComplete) continue;
    parser_.restart();
    told_ = false;
  }
  return aims;
}

bool RequestWatch::switches(std::string_view from_server) const {
  constexpr std::size_t kVersion = 9;  // "HTTP/1.1 "
  if (!from_server.starts_with("HTTP/1.") || from_server.size() <= kVersion) return false;
  const std::string_view status = from_server.substr(kVersion);
  return (upgrade_ && status.starts_with("101")) || (connect_ && status.starts_with('2'));
}

}  // namespace rehearse::gate
