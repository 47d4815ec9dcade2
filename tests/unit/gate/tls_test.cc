#include <catch2/catch.hpp>

#include "base/clock.h"
#include "gate/certificate_authority.h"
#include "gate/tls_server.h"
#include "tls_client.h"

using namespace rehearse;
using namespace rehearse::gate;
using namespace rehearse::gate::testing;
using TlsState = TlsServer::State;

namespace {

constexpr std::string_view kRun = "20261124-020515-abcdef";

CertificateAuthority authority() {
  auto made = CertificateAuthority::create(kRun, realtime_ns());
  if (!made) FAIL(made.error().what);
  return std::move(*made);
}

struct Connection {
  explicit Connection(ClientOptions options, std::vector<std::string> protocols = {"http/1.1"}) {
    context = std::move(*TlsContext::create(ca, std::move(protocols)));
    server = std::move(*TlsServer::create(*context, "fallback.example"));
    if (trust) options.trusted = ca.certificate();
    client = std::make_unique<TlsClient>(options);
  }
  /// Moves bytes until nobody has any; what the client sends comes in pieces.
  void pump(std::size_t piece = 1 << 20) {
    for (int quiet = 0; quiet < 2;) {
      client->shake_hands();
      const std::string up = client->take();
      for (std::size_t at = 0; at < up.size();) {
        const std::size_t took = server->feed(std::string_view(up).substr(at, piece));
        if (took == 0) break;
        at += took;
      }
      const std::string down = server->take();
      client->feed(down);
      quiet = up.empty() && down.empty() ? quiet + 1 : 0;
    }
  }
  bool connected() { return SSL_is_init_finished(client->get()) == 1 && server->state() == TlsState::kOpen; }

  bool trust = true;
  CertificateAuthority ca = authority();
  std::unique_ptr<TlsContext> context;
  std::unique_ptr<TlsServer> server;
  std::unique_ptr<TlsClient> client;
};

std::string subject(X509* certificate) {
  const std::unique_ptr<char, decltype([](char* text) { OPENSSL_free(text); })> text(
      X509_NAME_oneline(X509_get_subject_name(certificate), nullptr, 0));
  return text.get();
}

}  // namespace

TEST_CASE("an authority says whose it is and lives for days") {
  const CertificateAuthority ca = authority();
  X509* const certificate = ca.certificate();
  CHECK(subject(certificate).find("rehearse CA of run 20261124-020515-abcdef") != std::string::npos);
  CHECK(ca.pem().starts_with("-----BEGIN CERTIFICATE-----\n"));
  CHECK(X509_check_ca(certificate) == 1);
  CHECK(X509_self_signed(certificate, 1) == 1);
  std::time_t time = std::time(nullptr) - 23 * 3600;
  CHECK(X509_cmp_time(X509_get0_notBefore(certificate), &time) < 0);
  time = std::time(nullptr) + 8 * 24 * 3600;
  CHECK(X509_cmp_time(X509_get0_notAfter(certificate), &time) < 0);
  time = std::time(nullptr) + 6 * 24 * 3600;
  CHECK(X509_cmp_time(X509_get0_notAfter(certificate), &time) > 0);
  CHECK(!CertificateAuthority::create(std::string(41, 'x'), 0).has_value());
}

TEST_CASE("certificates are made once a name, and none for what is no name") {
  CertificateAuthority ca = authority();
  X509* const first = *ca.leaf("Api.example.com");
  CHECK(X509_check_host(first, "api.example.com", 0, 0, nullptr) == 1);
  CHECK(X509_check_host(first, "www.example.com", 0, 0, nullptr) == 0);
  CHECK(*ca.leaf("api.example.com.") == first);
  CHECK(X509_check_ip_asc(*ca.leaf("10.0.0.5"), "10.0.0.5", 0) == 1);
  CHECK(X509_check_ip_asc(*ca.leaf("2001:DB8::5"), "2001:db8::5", 0) == 1);
  const std::string longest = std::string(63, 'a') + "." + std::string(63, 'b') + ".example";
  CHECK(X509_check_host(*ca.leaf(longest), longest.c_str(), 0, 0, nullptr) == 1);
  for (const std::string& bad : {std::string(), std::string("."), std::string("a b"),
                                 std::string("*.example.com"), std::string("a,DNS:b"), std::string("a..b"),
                                 std::string("\xff"), std::string(254, 'a'), std::string("a\0b", 3)}) {
    INFO(bad);
    const auto leaf = ca.leaf(bad);
    REQUIRE(!leaf.has_value());
    CHECK(leaf.error().exit == ExitCode::kDataError);
  }
}

TEST_CASE("endless names do not make endless certificates") {
  CertificateAuthority ca = authority();
  for (std::size_t i = 0; i < CertificateAuthority::kMostLeaves + 8; ++i)
    REQUIRE(ca.leaf("n" + std::to_string(i) + ".example").has_value());
  CHECK(X509_check_host(*ca.leaf("n3.example"), "n3.example", 0, 0, nullptr) == 1);
}

TEST_CASE("strict clients of both versions believe the certificate and speak") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, std::size_t{1} << 20U}) {
      Connection c({.server_name = "api.example.com",
                    .alpn = "\2h2\10http/1.1",
                    .version = version,
                    .expected_name = "api.example.com"});
      c.pump(piece);
      INFO(c.server->failure());
      REQUIRE(c.connected());
      CHECK(SSL_get_verify_result(c.client->get()) == X509_V_OK);
      CHECK(c.server->server_name() == "api.example.com");
      CHECK(c.server->protocol() == "http/1.1");
      CHECK(c.server->version() == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"));
      c.client->write("GET / HTTP/1.1\r\n\r\n");
      c.pump(piece);
      CHECK(c.server->read(3) == "GET");
      CHECK(c.server->read(1000) == " / HTTP/1.1\r\n\r\n");
      CHECK(c.server->read(1000).empty());
      CHECK(c.server->write("HTTP/1.1 204 No Content\r\n\r\n") == 27);
      c.pump(piece);
      CHECK(c.client->read() == "HTTP/1.1 204 No Content\r\n\r\n");
    }
  }
}

TEST_CASE("a client that names no server sees the place it connected to; another's name is not believed") {
  Connection fallback({.expected_name = "fallback.example"});
  fallback.pump();
  CHECK(fallback.connected());
  CHECK(fallback.server->server_name().empty());
  Connection other({.server_name = "a.example", .expected_name = "b.example"});
  other.pump();
  CHECK(!other.connected());
  CHECK(other.server->state() == TlsState::kFailed);
}

TEST_CASE("a client that does not trust the run's authority says so") {
  Connection c({.server_name = "a.example", .expected_name = "a.example"});
  const CertificateAuthority stranger = authority();
  c.client = std::make_unique<TlsClient>(ClientOptions{
      .server_name = "a.example", .trusted = stranger.certificate(), .expected_name = "a.example"});
  c.pump();
  CHECK(c.server->state() == TlsState::kFailed);
  CHECK(c.server->failure() == "tlsv1 alert unknown ca");
  CHECK(c.server->feed("x") == 0);
  CHECK(c.server->read(10).empty());
  CHECK(c.server->write("x") == 0);
}

TEST_CASE("a client that speaks no common protocol is refused, or not asked") {
  Connection refused({.server_name = "a.example", .alpn = "\2h2"});
  refused.pump();
  CHECK(refused.server->server_name() == "a.example");
  CHECK(!refused.connected());
  CHECK(refused.server->failure() == "no application protocol");
  Connection ignored({.server_name = "a.example", .alpn = "\12postgresql"}, {});
  ignored.pump();
  CHECK(ignored.connected());
  CHECK(ignored.server->protocol().empty());
}

TEST_CASE("a server name that is none ends the handshake with the reason") {
  Connection c({.server_name = "a b\x1b[2J"});
  c.pump();
  CHECK(c.server->state() == TlsState::kFailed);
  CHECK(c.server->failure().find("is no name that a server can have") != std::string::npos);
  CHECK(c.server->server_name() == "a b\x1b[2J");
}

TEST_CASE("what is no TLS fails with an alert, not with a hang") {
  for (const std::string_view text : {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\xff\xff\x01"}) {
    Connection c({});
    c.server->feed(text);
    CHECK(c.server->state() == TlsState::kFailed);
    CHECK(!c.server->failure().empty());
  }
}

TEST_CASE("the end of either side is told from a break") {
  Connection c({.server_name = "a.example"});
  c.pump();
  SSL_shutdown(c.client->get());
  c.server->feed(c.client->take());
  CHECK(c.server->read(10).empty());
  CHECK(c.server->state() == TlsState::kEnded);
  CHECK(c.server->feed(std::string(100'000, 'x')) == 100'000);  // nobody will read it
  CHECK(c.server->write("late answer") == 11);
  c.server->finish();
  c.server->finish();
  c.client->feed(c.server->take());
  CHECK(c.client->read() == "late answer");
  CHECK((SSL_get_shutdown(c.client->get()) & SSL_RECEIVED_SHUTDOWN) != 0);
  Connection broken({.server_name = "a.example"});
  broken.pump();
  broken.client->write("secret");
  std::string record = broken.client->take();
  record.back() = static_cast<char>(record.back() ^ 1);
  broken.server->feed(record);
  CHECK(broken.server->read(10).empty());
  CHECK(broken.server->state() == TlsState::kFailed);
  CHECK(broken.server->failure() == "decryption failed or bad record mac");
  CHECK(!broken.server->take().empty());
}

TEST_CASE("neither a client that only sends nor one that never reads fills the memory") {
  Connection c({.server_name = "a.example"});
  c.pump();
  REQUIRE(c.connected());
  c.client->write(std::string(300'000, 'x'));
  const std::string sent = c.client->take();
  std::size_t held = 0;
  while (const std::size_t took = c.server->feed(std::string_view(sent).substr(held))) held += took;
  CHECK(held == TlsServer::kMostPending);
  std::size_t got = 0;
  for (std::size_t at = held; at < sent.size() || got < 300'000;) {
    got += c.server->read(10'000).size();
    at += c.server->feed(std::string_view(sent).substr(at));
  }
  CHECK(got == 300'000);

  const std::string answer(300'000, 'y');
  const std::size_t taken = c.server->write(answer);
  CHECK(taken >= 40'000);
  CHECK(taken <= TlsServer::kMostPending);
  CHECK(c.server->take().size() < TlsServer::kMostPending + 32'768);
}

TEST_CASE("a client that makes the server answer and never reads is not heard any more") {
  Connection c({.server_name = "a.example"});
  c.pump();
  REQUIRE(c.connected());
  std::size_t fed = 0;
  for (; fed < 2'000'000;) {
    SSL_key_update(c.client->get(), SSL_KEY_UPDATE_REQUESTED);
    c.client->write("");
    c.client->shake_hands();
    const std::string update = c.client->take();
    REQUIRE(!update.empty());
    const std::size_t took = c.server->feed(update);
    if (took < update.size()) break;
    fed += took;
    c.server->read(1000);
  }
  CHECK(fed > 1000);
  CHECK(fed < 1'000'000);
  const std::size_t held = c.server->take().size();
  CHECK(held < 2 * TlsServer::kMostPending);
}

TEST_CASE("no session can be resumed and nothing renegotiated") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Connection c({.server_name = "a.example", .version = version});
    c.pump();
    REQUIRE(c.connected());
    CHECK(c.client->read().empty());  // where TLS 1.3 would have tickets
    CHECK(SSL_SESSION_is_resumable(SSL_get0_session(c.client->get())) == 0);
  }
  Connection c({.server_name = "a.example", .version = TLS1_2_VERSION});
  c.pump();
  REQUIRE(c.connected());
  SSL_renegotiate(c.client->get());
  SSL_do_handshake(c.client->get());
  c.server->feed(c.client->take());
  CHECK(c.server->read(10).empty());
  c.client->feed(c.server->take());
  CHECK(SSL_do_handshake(c.client->get()) != 1);
}
