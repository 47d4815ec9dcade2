// dig and host against the responder over real sockets.
#include <poll.h>

#include <atomic>
#include <thread>

#include "gate/dns_responder.h"
#include "gate/dns_stream.h"
#include "peer.h"

using namespace rehearse;
using namespace rehearse::gate;
using namespace rehearse::gate::testing;

namespace {

/// Answers on one port, UDP and TCP, until it is destroyed.
class DnsServer {
 public:
  explicit DnsServer(std::vector<DnsMock> mocks)
      : zone_(*DnsZone::create(mocks)),
        udp_(SOCK_DGRAM),
        tcp_(SOCK_STREAM, udp_.port()),
        thread_([this] { loop(); }) {}
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;
  ~DnsServer() {
    stop_ = true;
    thread_.join();
  }
  [[nodiscard]] std::string dig(const std::string& arguments) const {
    const Ran ran =
        run("dig @127.0.0.1 -p " + std::to_string(udp_.port()) + " +time=5 +tries=1 " + arguments + " 2>&1");
    INFO(ran.output);
    CHECK(ran.status == 0);
    return ran.output;
  }
  [[nodiscard]] std::string host(const std::string& arguments) const {
    return run("host -p " + std::to_string(udp_.port()) + " " + arguments + " 127.0.0.1 2>&1").output;
  }

 private:
  void loop() {
    while (!stop_) {
      std::array<struct pollfd, 2> fds = {{{udp_.fd(), POLLIN, 0}, {tcp_.fd(), POLLIN, 0}}};
      if (::poll(fds.data(), fds.size(), 20) <= 0) continue;
      if (fds[0].revents != 0) datagram();
      if (fds[1].revents != 0) connection();
    }
  }
  void datagram() {
    std::array<char, 65536> buffer{};
    struct sockaddr_in from = {};
    socklen_t size = sizeof from;
    const ssize_t n = ::recvfrom(udp_.fd(), buffer.data(), buffer.size(), 0,
                                 reinterpret_cast<struct sockaddr*>(&from), &size);
    if (n < 0) return;
    const auto exchange = responder_.answer({buffer.data(), static_cast<std::size_t>(n)}, DnsTransport::kUdp);
    ::sendto(udp_.fd(), exchange.response.data(), exchange.response.size(), 0,
             reinterpret_cast<struct sockaddr*>(&from), size);
  }
  void connection() {
    const UniqueFd client(::accept4(tcp_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    DnsStream stream;
    std::array<char, 512> buffer{};
    ssize_t n = 0;
    while (!stop_ && (n = ::read(client.get(), buffer.data(), buffer.size())) > 0) {
      std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
      while (const auto message = stream.next(bytes)) {
        const std::string framed = dns_frame(responder_.answer(*message, DnsTransport::kTcp).response);
        if (::write(client.get(), framed.data(), framed.size()) < 0) return;
      }
    }
  }

  DnsZone zone_;
  NameTable names_;
  DnsResponder responder_{zone_, names_, {}};
  LocalSocket udp_;
  LocalSocket tcp_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace

TEST_CASE("dig understands every answer") {
  if (!have("dig")) return;
  const DnsServer server({{"example.com", "MX", 60, "10 mail.example.com"},
                          {"_sip._tcp.example.com", "SRV", 60, "1 2 5060 sip.example.com"},
                          {"example.com", "TXT", 60, "\"v=spf1 -all\" \"two\""},
                          {"big.example.com", "TXT", 60, std::string(3000, 'x')},
                          {"www.example.com", "CNAME", 60, "web.example.com"},
                          {"web.example.com", "A", 60, "10.0.0.9"}});
  const std::string v4 = server.dig("+short Api.Example.org A");
  CHECK(v4.starts_with("198.1"));
  CHECK(server.dig("+short +tcp api.example.org A") == v4);
  CHECK(server.dig("+short +noedns api.example.org A") == v4);
  CHECK(server.dig("+short +dnssec +nsid +subnet=10.0.0.0/8 +cookie api.example.org A") == v4);
  CHECK(server.dig("+short api.example.org AAAA").starts_with("2001:2::c61"));
  CHECK(server.dig("+short -x " + v4.substr(0, v4.size() - 1)) == "api.example.org.\n");
  CHECK(server.dig("+short example.com MX") == "10 mail.example.com.\n");
  CHECK(server.dig("+short _sip._tcp.example.com SRV") == "1 2 5060 sip.example.com.\n");
  CHECK(server.dig("+short example.com TXT") == "\"v=spf1 -all\" \"two\"\n");
  CHECK(server.dig("+short www.example.com") == "web.example.com.\n10.0.0.9\n");
  CHECK(contains(server.dig("big.example.com TXT"), "Truncated, retrying in TCP mode"));
  CHECK(contains(server.dig("intranet A"), "status: NXDOMAIN"));
  CHECK(contains(server.dig("example.org MX"), "status: NOERROR"));
  CHECK(contains(server.dig("example.org MX"),
                 "gate.rehearse.invalid. nobody.rehearse.invalid. 1 3600 600 86400 0"));
  CHECK(contains(server.dig("+opcode=STATUS example.org"), "status: NOTIMP"));
  CHECK(contains(server.dig("version.bind CH TXT"), "status: REFUSED"));
  CHECK(contains(server.dig("+edns=1 +noednsneg example.org"), "status: BADVERS"));
  CHECK(contains(server.dig("example.org AXFR"), "Transfer failed"));
  const std::string plain = server.dig("api.example.org ANY");
  CHECK(!contains(plain, "WARNING"));
  CHECK(contains(plain, "EDNS: version: 0, flags:; udp: 1232"));
}

TEST_CASE("host understands the answers that its user sees") {
  if (!have("host")) return;
  const DnsServer server({});
  const std::string text = server.host("deb.example.org");
  CHECK(contains(text, "deb.example.org has address 198.1"));
  CHECK(contains(text, "deb.example.org has IPv6 address 2001:2::c61"));
  CHECK(contains(server.host("x.invalid"), "not found: 3(NXDOMAIN)"));
}
