// A TLS client over memory: OpenSSL's own, as the other side of the code under test.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "gate/openssl.h"

namespace rehearse::gate::testing {

struct ClientOptions {
  std::string server_name = {};
  std::string alpn = {};  ///< as on the wire: lengths before the names
  int version = TLS1_3_VERSION;
  X509* trusted = nullptr;         ///< not asked for a certificate it believes if null
  std::string expected_name = {};  ///< that the certificate has to have
};

class TlsClient {
 public:
  explicit TlsClient(const ClientOptions& options) : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_max_proto_version(context_.get(), options.version);
    SSL_CTX_set_min_proto_version(context_.get(), std::min(options.version, TLS1_2_VERSION));
    if (options.trusted != nullptr)
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), options.trusted);
    if (options.trusted != nullptr || !options.expected_name.empty())
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    X509_VERIFY_PARAM* const rules = SSL_CTX_get0_param(context_.get());
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
    ssl_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_connect_state(ssl_.get());
    if (!options.server_name.empty()) SSL_set_tlsext_host_name(ssl_.get(), options.server_name.c_str());
    if (!options.expected_name.empty()) SSL_set1_host(ssl_.get(), options.expected_name.c_str());
    if (!options.alpn.empty())
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(options.alpn.data()),
                          static_cast<unsigned>(options.alpn.size()));
  }

  /// Bytes for the server.
  std::string take() {
    std::string bytes(BIO_ctrl_pending(out_), '\0');
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  void feed(std::string_view bytes) {
    if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
  }
  bool shake_hands() { return SSL_do_handshake(ssl_.get()) == 1; }
  void write(std::string_view text) {
    std::size_t written = 0;
    SSL_write_ex(ssl_.get(), text.data(), text.size(), &written);
  }
  std::string read() {
    std::string text(std::size_t{1} << 20U, '\0');
    std::size_t size = 0;
    std::size_t got = 0;
    while (size < text.size() && SSL_read_ex(ssl_.get(), text.data() + size, text.size() - size, &got) == 1)
      size += got;
    text.resize(size);
    return text;
  }
  [[nodiscard]] SSL* get() const { return ssl_.get(); }
  [[nodiscard]] UniqueCertificate peer() const {
    return UniqueCertificate(SSL_get1_peer_certificate(ssl_.get()));
  }

 private:
  UniqueSslContext context_;
  UniqueSsl ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

/// The first bytes that such a client sends.
inline std::string first_bytes(const ClientOptions& options) {
  TlsClient client(options);
  client.shake_hands();
  return client.take();
}

}  // namespace rehearse::gate::testing
