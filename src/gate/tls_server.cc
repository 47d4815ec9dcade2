#include "gate/tls_server.h"

#include <openssl/err.h>

#include <algorithm>
#include <utility>

#include "gate/bytes.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kRecord = 16384;

std::string_view to_view(const unsigned char* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::create(CertificateAuthority& authority,
                                                       std::vector<std::string> protocols) {
  init_openssl();
  std::unique_ptr<TlsContext> made(new TlsContext(authority, std::move(protocols)));
  made->context_.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = made->context_.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_num_tickets(context, 0) != 1)
    return openssl_error("cannot set up TLS for mocked services");
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_set_client_hello_cb(context, note_hello, nullptr);
  SSL_CTX_set_cert_cb(context, choose_certificate, made.get());
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, made.get());
  return made;
}

/// What was sent is noted whatever becomes of the handshake: a protocol that nobody speaks ends it before a
/// certificate is chosen.
int TlsContext::note_hello(SSL* ssl, int* /*alert*/, void* /*nothing*/) noexcept {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) != 1)
    return SSL_CLIENT_HELLO_SUCCESS;
  ByteReader names(to_view(data, size));  // RFC 6066 3
  names.u16();
  const bool host = names.u8() == TLSEXT_NAMETYPE_host_name;
  const std::string_view name = names.take(names.u16());
  if (host && names.ok()) static_cast<TlsServer*>(SSL_get_app_data(ssl))->server_name_ = name;
  return SSL_CLIENT_HELLO_SUCCESS;
}

int TlsContext::choose_certificate(SSL* ssl, void* self) noexcept {
  auto* const server = static_cast<TlsServer*>(SSL_get_app_data(ssl));
  CertificateAuthority& authority = static_cast<TlsContext*>(self)->authority_;
  const char* const asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const std::string name = asked == nullptr ? server->default_name_ : asked;
  const auto leaf = authority.leaf(name);
  if (!leaf) {
    server->failure_ = leaf.error().what;
    return 0;
  }
  return SSL_use_certificate(ssl, *leaf) == 1 && SSL_use_PrivateKey(ssl, authority.leaf_key()) == 1 ? 1 : 0;
}

int TlsContext::choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* size,
                                const unsigned char* offered, unsigned offered_size, void* self) noexcept {
  const auto& protocols = static_cast<TlsContext*>(self)->protocols_;
  if (protocols.empty()) return SSL_TLSEXT_ERR_NOACK;
  for (const std::string& protocol : protocols) {
    ByteReader list(to_view(offered, offered_size));
    while (list.ok() && !list.empty()) {
      const std::string_view one = list.take(list.u8());
      if (one != protocol) continue;
      // Into the offer, which lives long enough, as OpenSSL wants it.
      *chosen = reinterpret_cast<const unsigned char*>(one.data());
      *size = static_cast<unsigned char>(one.size());
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<std::unique_ptr<TlsServer>> TlsServer::create(TlsContext& context, std::string_view default_name) {
  std::unique_ptr<TlsServer> made(new TlsServer(default_name));
  made->ssl_.reset(SSL_new(context.context_.get()));
  UniqueBio in(BIO_new(BIO_s_mem()));
  UniqueBio out(BIO_new(BIO_s_mem()));
  if (!made->ssl_ || !in || !out) return openssl_error("cannot set up a TLS connection");
  made->in_ = in.release();
  made->out_ = out.release();
  SSL_set_bio(made->ssl_.get(), made->in_, made->out_);
  SSL_set_app_data(made->ssl_.get(), made.get());
  SSL_set_accept_state(made->ssl_.get());
  return made;
}

std::size_t TlsServer::room_out() const {
  const std::size_t pending = BIO_ctrl_pending(out_);
  return kMostPending - std::min(pending, kMostPending);
}

void TlsServer::fail_with(std::string reason) {
  state_ = State::kFailed;
  if (failure_.empty()) failure_ = reason.empty() ? "the connection broke off" : std::move(reason);
}

std::size_t TlsServer::feed(std::string_view ciphertext) {
  // What is read can make OpenSSL answer (key updates): that has to be taken first.
  if (state_ == State::kFailed || room_out() == 0) return 0;
  if (state_ == State::kEnded) return ciphertext.size();
  const std::size_t pending = BIO_ctrl_pending(in_);
  const std::size_t size = std::min(ciphertext.size(), kMostPending - std::min(pending, kMostPending));
  if (size == 0) return 0;
  if (BIO_write(in_, ciphertext.data(), static_cast<int>(size)) != static_cast<int>(size)) {
    fail_with("out of memory");
    return 0;
  }
  if (state_ == State::kHandshake) shake_hands();
  return size;
}

void TlsServer::shake_hands() {
  ERR_clear_error();
  const int result = SSL_accept(ssl_.get());
  if (result == 1) {
    state_ = State::kOpen;
  } else if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
    fail_with(take_openssl_error());
  }
}

std::string TlsServer::read(std::size_t most) {
  std::string text;
  while (state_ == State::kOpen && text.size() < most) {
    const std::size_t before = text.size();
    std::size_t got = 0;
    text.resize(before + std::min(most - before, kRecord));
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), text.data() + before, text.size() - before, &got);
    text.resize(before + got);
    if (result == 1) continue;
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ) break;
    if (error == SSL_ERROR_ZERO_RETURN) {
      state_ = State::kEnded;
    } else {
      fail_with(take_openssl_error());
    }
  }
  return text;
}

std::size_t TlsServer::write(std::string_view plaintext) {
  std::size_t taken = 0;
  while ((state_ == State::kOpen || state_ == State::kEnded) && taken < plaintext.size() && room_out() > 0) {
    const std::size_t size = std::min({plaintext.size() - taken, room_out(), kRecord});
    std::size_t written = 0;
    ERR_clear_error();
    if (SSL_write_ex(ssl_.get(), plaintext.data() + taken, size, &written) != 1) {
      fail_with(take_openssl_error());
      break;
    }
    taken += written;
  }
  return taken;
}

void TlsServer::finish() {
  const bool finished = (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0;
  if (finished || (state_ != State::kOpen && state_ != State::kEnded)) return;
  ERR_clear_error();
  if (SSL_shutdown(ssl_.get()) < 0) fail_with(take_openssl_error());
}

std::string TlsServer::take() {
  std::string bytes(BIO_ctrl_pending(out_), '\0');
  if (bytes.empty()) return bytes;
  const int size = BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return bytes;
}

std::string TlsServer::protocol() const {
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &protocol, &size);
  return std::string(to_view(protocol, size));
}

std::string TlsServer::version() const {
  return SSL_get_version(ssl_.get());
}

}  // namespace rehearse::gate
