#include "gate/recording.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/digest.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kNothing = SIZE_MAX;

/// What names a request, its body left out.
std::string head_key(ExchangeKind kind, const Part& request) {
  if (kind == ExchangeKind::kHttp) return request.head.substr(0, request.head.rfind(' '));
  std::string key = request.head;
  for (const Header& header : request.headers) {
    if (header.name == "RCPT TO") key += '\n' + header.value;
  }
  return key;
}

/// By all of the body if that is known, else by what is kept.
std::string whole_key(const std::string& head, const Part& request) {
  return fmt::format("{}\n{}\n{}", head, request.body_bytes,
                     request.digest.empty() ? hex(sha256(request.body)) : request.digest);
}

}  // namespace

Recording::Recording(std::vector<KeptExchange> exchanges, RedactionRules rules) : rules_(std::move(rules)) {
  if (!exchanges.empty()) tls_ = exchanges.front().exchange.tls;
  for (const KeptExchange& kept : exchanges) {
    if (kept.exchange.tls != tls_) tls_.reset();
  }
  std::map<std::uint64_t, std::size_t> conversation_of;  // of a connection
  for (KeptExchange& kept : exchanges) {
    if (kept.exchange.kind == ExchangeKind::kStream) {
      const auto [place, fresh] = conversation_of.try_emplace(kept.connection, conversations_.size());
      if (fresh) conversations_.emplace_back();
      conversations_[place->second].push_back(std::move(kept.exchange));
      continue;
    }
    const std::string head = head_key(kept.exchange.kind, kept.exchange.request);
    by_head_[head].indexes.push_back(exchanges_.size());
    by_all_[whole_key(head, kept.exchange.request)].indexes.push_back(exchanges_.size());
    exchanges_.push_back(std::move(kept.exchange));
  }
  used_.resize(exchanges_.size());
}

ExchangeKind Recording::kind() const {
  return exchanges_.empty() ? ExchangeKind::kStream : exchanges_.front().kind;
}

/// The next of the queue that is not used, now used; kNothing if all are.
std::size_t Recording::take(Queue& queue) {
  while (queue.next < queue.indexes.size()) {
    const std::size_t index = queue.indexes[queue.next++];
    if (used_[index]) continue;
    used_[index] = true;
    return index;
  }
  return kNothing;
}

Recording::Found Recording::find(Part request) {
  redact(request, rules_);
  const std::string head = head_key(kind(), request);
  auto exact = by_all_.find(whole_key(head, request));
  if (exact == by_all_.end() && !request.digest.empty()) {
    // Recorded without one.
    request.digest.clear();
    exact = by_all_.find(whole_key(head, request));
  }
  if (exact != by_all_.end()) {
    const std::size_t index = take(exact->second);
    if (index != kNothing) return {&exchanges_[index], Fit::kExact};
    return {&exchanges_[exact->second.indexes.back()], Fit::kRepeat};
  }
  const auto near = by_head_.find(head);
  if (near == by_head_.end()) return {};
  const std::size_t index = take(near->second);
  return {&exchanges_[index != kNothing ? index : near->second.indexes.back()], Fit::kBody};
}

const std::vector<Exchange>* Recording::next_conversation() {
  if (next_conversation_ == conversations_.size()) return nullptr;
  return &conversations_[next_conversation_++];
}

std::size_t Recording::unused() const {
  std::size_t count = 0;
  for (const bool used : used_) count += used ? 0 : 1;
  for (std::size_t i = next_conversation_; i < conversations_.size(); ++i) count += conversations_[i].size();
  return count;
}

}  // namespace rehearse::gate
