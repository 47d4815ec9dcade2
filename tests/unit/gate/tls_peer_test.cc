// openssl, curl, wget and Python as clients of the TLS server, over real sockets.
#include <poll.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/clock.h"
#include "gate/tls_server.h"
#include "peer.h"

using namespace rehearse;
using namespace rehearse::gate;
using namespace rehearse::gate::testing;

namespace {

/// Answers each connection with one HTTP response, whatever is asked, until it is destroyed.
class HttpsServer {
 public:
  HttpsServer() : thread_([this] { loop(); }) {}
  HttpsServer(const HttpsServer&) = delete;
  HttpsServer& operator=(const HttpsServer&) = delete;
  ~HttpsServer() {
    stop_ = true;
    thread_.join();
    ::unlink(trust_.c_str());
  }
  [[nodiscard]] std::string port() const { return std::to_string(socket_.port()); }
  /// A file with the authority's certificate.
  [[nodiscard]] const std::string& trust() const { return trust_; }
  /// How the last connection that failed did so.
  [[nodiscard]] std::string failure() {
    // The client may have gone before the server has read why.
    for (int i = 0; i < 500 && !failed_; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    stop_ = true;
    thread_.join();
    thread_ = std::thread([] {});
    return failure_;
  }

 private:
  static CertificateAuthority authority() {
    auto made = CertificateAuthority::create("20261124-020515-abcdef", realtime_ns());
    REQUIRE(made.has_value());
    return std::move(*made);
  }
  std::string write_trust() {
    std::string path = "/tmp/rehearse-unit-gate-XXXXXX";
    const UniqueFd file(::mkstemp(path.data()));
    REQUIRE(::write(file.get(), ca_.pem().data(), ca_.pem().size()) ==
            static_cast<ssize_t>(ca_.pem().size()));
    return path;
  }
  void loop() {
    while (!stop_) {
      struct pollfd fd = {socket_.fd(), POLLIN, 0};
      if (::poll(&fd, 1, 20) <= 0) continue;
      serve(UniqueFd(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC)));
    }
  }
  void serve(const UniqueFd& client) {
    const auto server = *TlsServer::create(*context_, "127.0.0.1");
    std::array<char, 4096> buffer{};
    std::string request;
    while (!stop_) {
      send(client, server->take());
      if (server->state() == TlsServer::State::kFailed) {
        failure_ = server->failure();
        failed_ = true;
      }
      if (server->state() == TlsServer::State::kFailed || request.find("\r\n\r\n") != std::string::npos)
        return;
      const ssize_t n = ::read(client.get(), buffer.data(), buffer.size());
      if (n <= 0) return;
      server->feed({buffer.data(), static_cast<std::size_t>(n)});
      request += server->read(65536);
      if (request.find("\r\n\r\n") == std::string::npos) continue;
      const std::string body =
          server->server_name() + " " + server->protocol() + " " + server->version() + "\n";
      server->write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                    "\r\n\r\n" + body);
      server->finish();
    }
  }
  static void send(const UniqueFd& client, const std::string& bytes) {
    if (::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return;
  }

  CertificateAuthority ca_ = authority();
  std::unique_ptr<TlsContext> context_ = std::move(*TlsContext::create(ca_));
  std::string trust_ = write_trust();
  LocalSocket socket_{SOCK_STREAM};
  std::string failure_;
  std::atomic<bool> failed_ = false;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace

TEST_CASE("openssl s_client verifies and speaks TLS 1.2 and 1.3") {
  if (!have("openssl")) return;
  HttpsServer server;
  for (const std::string version : {"-tls1_2", "-tls1_3"}) {
    const Ran ran =
        run("printf 'GET / HTTP/1.1\\r\\n\\r\\n' | openssl s_client " + version + " -connect 127.0.0.1:" +
            server.port() + " -servername api.example.com -verify_hostname api.example.com -x509_strict" +
            " -verify_return_error -alpn h2,http/1.1 -ign_eof -CAfile " + server.trust() + " 2>&1");
    CHECK(ran.status == 0);
    CHECK(contains(ran.output, "Verify return code: 0 (ok)"));
    CHECK(contains(ran.output, "rehearse CA of run 20261124-020515-abcdef"));
    CHECK(contains(ran.output, "ALPN protocol: http/1.1"));
    CHECK(contains(ran.output, "api.example.com http/1.1 TLSv1."));
  }
}

TEST_CASE("curl and wget fetch over TLS with the run's authority") {
  const HttpsServer server;
  if (have("curl")) {
    const std::string resolve = " --resolve api.example.com:" + server.port() + ":127.0.0.1 ";
    const Ran named = run("curl -sS --noproxy '*' --cacert " + server.trust() + resolve +
                          "https://api.example.com:" + server.port() + "/ 2>&1");
    CHECK(named.status == 0);
    CHECK(named.output == "api.example.com http/1.1 TLSv1.3\n");
    const Ran address = run("curl -sS --noproxy '*' --cacert " + server.trust() +
                            " https://127.0.0.1:" + server.port() + "/ 2>&1");
    CHECK(address.output == " http/1.1 TLSv1.3\n");  // an address is no server name (RFC 6066)
  }
  if (have("wget")) {
    const Ran ran = run("wget -qO- --no-proxy --ca-certificate=" + server.trust() +
                        " https://127.0.0.1:" + server.port() + "/ 2>&1");
    CHECK(ran.status == 0);
    CHECK(contains(ran.output, " TLSv1.3"));
  }
}

TEST_CASE("Python believes the certificate under its strictest rules") {
  if (!have("python3")) return;
  const HttpsServer server;
  const std::string script =
      "import socket,ssl,sys\n"
      "c=ssl.create_default_context(cafile=sys.argv[1])\n"
      "c.verify_flags|=ssl.VERIFY_X509_STRICT\n"
      "s=c.wrap_socket(socket.create_connection((\"127.0.0.1\",int(sys.argv[2]))),server_hostname=\"db."
      "example.com\")\n"
      "s.sendall(b\"GET / HTTP/1.1\\r\\n\\r\\n\")\n"
      "print(s.makefile(\"rb\").read().decode().splitlines()[-1])\n";
  const Ran ran = run("python3 -c '" + script + "' " + server.trust() + " " + server.port() + " 2>&1");
  CHECK(ran.status == 0);
  CHECK(contains(ran.output, "db.example.com  TLSv1."));
}

TEST_CASE("a client that trusts only public authorities refuses, and the server knows why") {
  if (!have("curl")) return;
  HttpsServer server;
  const Ran ran = run("curl -sS --noproxy '*' https://127.0.0.1:" + server.port() + "/ 2>&1");
  CHECK(ran.status == 60);
  CHECK(contains(server.failure(), "unknown ca"));
}
