#include "gate/service_connection.h"

#include <algorithm>

#include "gate/first_bytes.h"

namespace rehearse::gate {
namespace {

using Io = StreamSocket::Io;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kPatience = 600 * kSecond;    ///< with a client from which nothing comes
constexpr std::int64_t kLastPatience = 5 * kSecond;  ///< with one that was told the end
constexpr int kStepsATurn = 16;
/// Of the socket's own, which else grows to 4 MB: very many clients may ask for much and not read.
constexpr int kMostUnsent = 256 << 10;
constexpr char kTlsHandshake = 22;  ///< the first byte of TLS (RFC 8446 5.1)

/// The second word of "POST /hooks/1 HTTP/1.1".
std::string_view target_of(std::string_view head) {
  head.remove_prefix(std::min(head.find(' ') + 1, head.size()));
  return head.substr(0, head.find(' '));
}

}  // namespace

void ServiceConnection::begin(UniqueFd client) {
  touch();
  if (auto taken = client_.take(std::move(client)); !taken) return abort(taken.error().what);
  client_.limit_unsent(kMostUnsent);
  if (tls_use_ == TlsUse::kAlways && !start_tls()) return;
  if (tls_use_ != TlsUse::kIfAsked) open();
  pump();
  set_timer();
}

bool ServiceConnection::start_tls() {
  if (context_.tls == nullptr) {
    abort("there is no certificate authority");
    return false;
  }
  auto made =
      TlsServer::create(*context_.tls, record_.name.empty() ? format_ip(record_.address) : record_.name);
  if (!made) {
    abort(made.error().what);
    return false;
  }
  tls_ = std::move(*made);
  return true;
}

void ServiceConnection::open() {
  opened_ = true;
  service_->on_open(*this);
}

// ---- what the service asks for ----

std::size_t ServiceConnection::room() const {
  if (ended() || finishing_ || (tls_ && tls_->state() == TlsServer::State::kHandshake)) return 0;
  const std::size_t waiting = out_.size() - sent_;
  return kMostHeld - std::min(waiting, kMostHeld);
}

std::size_t ServiceConnection::send(std::string_view bytes) {
  const std::string_view fitting = bytes.substr(0, room());
  std::size_t taken = fitting.size();
  if (tls_) {
    taken = fitting.empty() ? 0 : tls_->write(fitting);
    out_ += tls_->take();
  } else {
    out_ += fitting;
  }
  if (taken < bytes.size()) starved_ = true;
  return taken;
}

void ServiceConnection::finish() {
  finishing_ = true;
}

void ServiceConnection::reset() {
  // The service meant it: nothing went wrong.
  abort({});
}

void ServiceConnection::wake_after(std::int64_t ns) {
  wake_ns_ = context_.loop.now() + std::max<std::int64_t>(ns, 1);
  set_timer();
}

void ServiceConnection::note(Exchange exchange) {
  if (exchange.kind == ExchangeKind::kHttp && record_.http_path.empty()) {
    const std::string_view head = exchange.request.head;
    RequestAim aim = aim_of(head.substr(0, head.find(' ')), target_of(head), exchange.request.headers);
    record_.http_host = std::move(aim.host);
    record_.http_path = std::move(aim.path);
  }
  exchange.tls = tls_ != nullptr;
  keep(std::move(exchange));
}

// ---- what moves ----

void ServiceConnection::on_socket() {
  pump();
}

void ServiceConnection::on_time() {
  const std::int64_t now = context_.loop.now();
  if (wake_ns_ != 0 && wake_ns_ <= now) {
    wake_ns_ = 0;
    stalled_ = false;
    service_->on_timer(*this);
    touch();
    pump();
  } else if (wake_ns_ == 0 && now - last_ns() >= (finished_ ? kLastPatience : kPatience)) {
    return abort(finished_ ? "" : "nothing came for ten minutes");
  }
  if (!ended()) set_timer();
}

void ServiceConnection::set_timer() {
  if (ended()) return;
  const std::int64_t idle = last_ns() + (finished_ ? kLastPatience : kPatience);
  context_.loop.timers().set(*this, wake_ns_ != 0 ? wake_ns_ : std::max(idle, context_.loop.now() + 1));
}

void ServiceConnection::pump() {
  for (int i = 0; i < kStepsATurn; ++i) {
    if (ended()) return;
    const bool moved = step();
    if (ended()) return;
    if (!flush()) return;
    settle();
    if (ended()) return;
    // What was sent may have made room, and no event follows of a socket that has never been full.
    if (!moved && !(starved_ && room() > 0)) return;
  }
  client_.again();
}

/// True if something moved that may make more possible.
bool ServiceConnection::step() {
  bool moved = give_room();
  if (!ended() && !held_.empty() && !stalled_) moved = offer(std::exchange(held_, {})) || moved;
  if (!ended()) moved = receive() || moved;
  if (!ended()) moved = tell_end() || moved;
  return moved;
}

bool ServiceConnection::give_room() {
  if (!starved_ || room() == 0) return false;
  starved_ = false;
  stalled_ = false;
  service_->on_writable(*this);
  return true;
}

/// Gives the service what the client sent; keeps what it does not take.
bool ServiceConnection::offer(std::string_view bytes) {
  heard_ = true;
  const std::size_t taken = std::min(service_->on_bytes(bytes, *this), bytes.size());
  held_.assign(bytes.substr(taken));
  if (taken == 0) stalled_ = true;
  return taken > 0;
}

bool ServiceConnection::receive() {
  if (tls_ && decrypt()) return true;
  if (no_more_ || !held_.empty() || !encrypted_.empty() || !client_.readable()) return false;
  if (context_.memory_used_up) {
    abort("the gate's memory is used up");
    return false;
  }
  std::size_t count = 0;
  const Io io = client_.read(context_.buffer, count);
  if (io == Io::kBlocked) return false;
  if (io != Io::kDone) {
    no_more_ = true;
    return true;
  }
  touch();
  record_.bytes_out += count;
  const std::string_view bytes(context_.buffer.data(), count);
  if (!opened_) {
    if (bytes[0] == kTlsHandshake && !start_tls()) return false;
    open();
    if (ended()) return false;
  }
  if (!tls_) return offer(bytes);
  take_ciphertext(bytes);
  return true;
}

void ServiceConnection::take_ciphertext(std::string_view bytes) {
  const std::size_t fed = tls_->feed(bytes);
  encrypted_.assign(bytes.substr(fed));
  out_ += tls_->take();
}

/// True if the service got something, or TLS had room for what was left over.
bool ServiceConnection::decrypt() {
  bool moved = false;
  if (!encrypted_.empty()) {
    const std::size_t before = encrypted_.size();
    take_ciphertext(std::exchange(encrypted_, {}));
    moved = encrypted_.size() < before;
  }
  if (held_.empty() && !stalled_) {
    const std::string text = tls_->read(kMostHeld);
    out_ += tls_->take();
    if (!text.empty()) moved = offer(text) || moved;
  }
  if (ended()) return moved;
  if (tls_->state() == TlsServer::State::kFailed && !finished_) {
    if (record_.error.empty()) record_.error = "TLS: " + tls_->failure();
    finishing_ = true;
    no_more_ = true;
    encrypted_.clear();
  } else if (tls_->state() == TlsServer::State::kEnded) {
    no_more_ = true;
  }
  return moved;
}

bool ServiceConnection::tell_end() {
  if (!no_more_ || end_told_ || !held_.empty() || !encrypted_.empty()) return false;
  end_told_ = true;
  if (opened_) {
    service_->on_end(*this);
  } else {
    finishing_ = true;
  }
  return true;
}

/// Sends what there is; false if the connection has ended.
bool ServiceConnection::flush() {
  if (tls_ && finishing_ && !finished_) {
    tls_->finish();
    out_ += tls_->take();
  }
  while (sent_ < out_.size()) {
    std::size_t count = 0;
    const Io io = client_.write(std::string_view(out_).substr(sent_), count);
    if (io == Io::kBlocked) break;
    if (io != Io::kDone) {
      end();
      return false;
    }
    sent_ += count;
    record_.bytes_in += count;
    touch();
  }
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
  } else if (sent_ >= kMostHeld) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  return true;
}

/// Ends the connection if there is nothing to wait for.
void ServiceConnection::settle() {
  if (finishing_ && !finished_ && out_.empty()) {
    finished_ = true;
    // Closing tells the client too.
    if (!no_more_ || !end_told_) {
      client_.shut_down();
      set_timer();
    }
  }
  const bool over = no_more_ && end_told_ && (finished_ || client_.error() != 0 || client_.hung_up());
  if (over) end();
}

void ServiceConnection::on_end(bool /*with_reset*/) {
  if (opened_) service_->on_gone(*this);
  if (std::string misuse = service_->misuse(); !misuse.empty()) {
    record_.verdict = GateVerdict::kDenied;
    record_.rule.clear();
    record_.error = std::move(misuse);
  }
  if (!tls_) return;
  if (record_.sni.empty()) record_.sni = tls_->server_name();
  // Who looks at the certificate by itself, behind the handshake or within it, sends no alert. Who says
  // good-bye had nothing against it, and nothing to ask.
  const bool parted = tls_->state() == TlsServer::State::kFailed || tls_->state() == TlsServer::State::kEnded;
  const bool greeted = !parted && record_.bytes_in > 0;
  if (greeted && !heard_ && record_.error.empty())
    record_.error = "TLS: the client left without a word: it may not trust the run's authority";
}

}  // namespace rehearse::gate
