#include "rehearsal/network.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/sys.h"
#include "base/worker_process.h"
#include "gate/engine.h"
#include "gate/mock_file.h"
#include "gate/rule_text.h"
#include "host/listeners.h"

namespace rehearse {
namespace {

constexpr const char* kLog = "gate.jsonl";
constexpr const char* kExchanges = "exchanges.jsonl";
/// All that a host trusts, in one file.
constexpr const char* kBundles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"};

template <class Rule>
void append(std::vector<Rule>& to, std::vector<Rule> from) {
  std::ranges::move(from, std::back_inserter(to));
}

/// The network tables of a file; body files lie below its directory.
Result<void> add_tables(const std::string& text, const std::string& path, gate::FileKind kind,
                        NetworkPlan& plan, std::vector<gate::DnsMock>& dns) {
  gate::Rules& rules = plan.rules;
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  RH_TRY(const auto directory, sys::open(folder.c_str(), O_RDONLY | O_DIRECTORY));
  RH_TRY(auto file, gate::parse_mock_file(text, path, kind, directory.get()));
  plan.sources.push_back(text);
  for (const gate::Mock& mock : file.rules.mock) {
    if (const auto* http = std::get_if<gate::HttpMock>(&mock.service))
      for (const gate::HttpRoute& route : http->routes) plan.sources.push_back(route.body);
  }
  append(rules.deny, std::move(file.rules.deny));
  append(rules.mock, std::move(file.rules.mock));
  append(rules.pass, std::move(file.rules.pass));
  append(dns, std::move(file.dns));
  return {};
}

Result<void> add_mock_file(const std::string& path, NetworkPlan& plan, std::vector<gate::DnsMock>& dns) {
  const auto text = sys::read_file(path.c_str(), gate::kLargestMockFile);
  if (!text && text.error().err == 0)
    return fail(fmt::format("--mock: {} is larger than {} MiB", path, gate::kLargestMockFile >> 20U),
                ExitCode::kUsage, "name a TOML file");
  if (!text)
    return fail_errno(text.error().err, "--mock: cannot read " + path, ExitCode::kUsage, "name a TOML file");
  const auto tables = [&] {
    return plan.rules.mock.size() + plan.rules.pass.size() + plan.rules.deny.size() + dns.size();
  };
  const std::size_t before = tables();
  RH_CHECK(add_tables(*text, path, gate::FileKind::kMock, plan, dns));
  if (tables() == before)
    return fail("--mock: there is nothing in " + path, ExitCode::kConfig,
                "write [[mock]], [[pass]] or [[deny]] tables: docs/network-rules.md");
  return {};
}

/// Of two mocks for the same destination the second would never be asked.
Result<void> check_mocks(const gate::Rules& rules) {
  for (auto mock = rules.mock.begin(); mock != rules.mock.end(); ++mock) {
    const auto same = std::find_if(rules.mock.begin(), mock,
                                   [&](const gate::Mock& other) { return other.listen == mock->listen; });
    if (same != mock)
      return fail(
          fmt::format("{}: {} is mocked at {} too", mock->place, gate::to_text(mock->listen), same->place),
          ExitCode::kConfig, "join the two, or remove one");
  }
  return {};
}

Result<void> add_replay(const Options& options, const ledger::StateDir& state, NetworkPlan& plan) {
  RH_TRY(const ledger::Bundle bundle, state.open_run(options.replay));
  const auto none = [&bundle] {
    return fail("--replay: run " + bundle.id() + " has no recorded exchanges", ExitCode::kUsage,
                "record some: --pass ENDPOINT,record");
  };
  auto file = bundle.open_file(kExchanges);
  if (!file) return none();
  RH_TRY(auto kept, gate::read_exchanges(file->get()));
  if (kept.exchanges.empty()) return none();
  plan.sources.push_back("run " + bundle.id());
  plan.replay = gate::Replay(std::move(kept.exchanges), "--replay " + bundle.id());
  plan.replay.add_to(plan.rules);
  return {};
}

tl::unexpected<Error> no_gate(const std::string& what) {
  return fail("--no-trace leaves no network gate: " + what + " needs it", ExitCode::kUsage,
              "leave --no-trace out");
}

/// What only the gate could do, without one.
Result<void> need_gate(const Options& options) {
  if (options.trace ||
      (options.pass.empty() && options.deny.empty() && options.mock.empty() && options.replay.empty() &&
       !options.nxdomain && !options.network_mirror && !options.capture_bytes))
    return {};
  return no_gate("what --pass, --deny, --mock, --replay, --nxdomain, --network-mirror or --capture say");
}

/// Names that rules speak of exist, whatever else does not.
std::vector<std::string> named(const gate::Rules& rules) {
  std::vector<std::string> names;
  const auto add = [&names](const gate::Endpoint& endpoint) {
    if (const auto* target = std::get_if<gate::NameTarget>(&endpoint.target))
      names.push_back((target->suffix ? "*." : "") + target->name);
  };
  for (const gate::Mock& mock : rules.mock) add(mock.listen);
  for (const gate::PassRule& rule : rules.pass) add(rule.to);
  return names;
}

}  // namespace

std::vector<sandbox::Addition> NetworkPlan::trust() const {
  if (!authority) return {};
  const std::string& pem = authority->pem();
  std::vector<sandbox::Addition> additions;
  for (const char* bundle : kBundles) additions.push_back({bundle, pem, false});
  additions.push_back({certificate_path(), pem, true});
  return additions;
}

std::vector<std::pair<std::string, std::string>> NetworkPlan::trust_variables() const {
  if (!authority) return {};
  std::vector<std::pair<std::string, std::string>> variables = {{"NODE_EXTRA_CA_CERTS", certificate_path()}};
  // These replace what the programs trust otherwise: only by all that the host trusts.
  const auto* const bundle =
      std::ranges::find_if(kBundles, [](const char* path) { return ::access(path, R_OK) == 0; });
  if (bundle != std::end(kBundles)) {
    for (const char* name : {"REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}) variables.emplace_back(name, *bundle);
  }
  return variables;
}

/// By the hash of its name: c_rehash(1).
std::string NetworkPlan::certificate_path() const {
  return fmt::format("/etc/ssl/certs/{:08x}.0", ::X509_subject_name_hash(authority->certificate()));
}

Result<std::unique_ptr<NetworkPlan>> plan_network(const Options& options, const ActionFile* action,
                                                  const ledger::StateDir* state) {
  RH_CHECK(need_gate(options));
  auto plan = std::make_unique<NetworkPlan>();
  std::vector<gate::DnsMock> dns;
  for (const std::string& text : options.pass) {
    auto rule = gate::parse_pass(text);
    if (!rule) return with_context(rule.error(), "--pass " + text);
    plan->rules.pass.push_back(std::move(*rule));
  }
  for (const std::string& text : options.deny) {
    auto rule = gate::parse_deny(text);
    if (!rule) return with_context(rule.error(), "--deny " + text);
    plan->rules.deny.push_back(std::move(*rule));
  }
  for (const std::string& path : options.mock) RH_CHECK(add_mock_file(path, *plan, dns));
  if (action != nullptr) {
    RH_CHECK(add_tables(action->text, action->path, gate::FileKind::kAction, *plan, dns));
    const bool any = !plan->rules.pass.empty() || !plan->rules.deny.empty() || !plan->rules.mock.empty();
    if (!options.trace && (any || !dns.empty())) return no_gate(action->path);
  }
  RH_CHECK(check_mocks(plan->rules));
  if (!options.replay.empty() && state != nullptr) RH_CHECK(add_replay(options, *state, *plan));
  RH_TRY(plan->zone, gate::DnsZone::create(dns, named(plan->rules)));
  plan->dns.nxdomain = options.nxdomain;
  plan->mirror = options.network_mirror;
  RH_TRY(plan->kernel, gate::flatten(plan->rules));
  if (!plan->kernel.names.empty() && plan->zone.addresses() > RH_NAMED)
    return fail(fmt::format("the mocked records have more than {} different addresses, and rules are by name",
                            RH_NAMED),
                ExitCode::kConfig, "leave records out, or write rules by address");
  if (gate::speaks_tls(plan->rules)) {
    const std::int64_t now = realtime_ns();
    RH_TRY(plan->authority, gate::CertificateAuthority::create(compact_time(now), now));
  }
  return plan;
}

/// What is readable when one of them is.
Result<UniqueFd> wait_for_any(const gate::RunSockets& sockets) {
  UniqueFd any(::epoll_create1(EPOLL_CLOEXEC));
  if (!any.valid()) return sys::last_error("epoll_create1");
  for (const UniqueFd* socket :
       {&sockets.tcp4, &sockets.tcp6, &sockets.udp4, &sockets.udp6, &sockets.syn4, &sockets.syn6}) {
    struct epoll_event event = {};
    event.events = EPOLLIN;
    if (socket->valid() && ::epoll_ctl(any.get(), EPOLL_CTL_ADD, socket->get(), &event) != 0)
      return sys::last_error("epoll_ctl");
  }
  return any;
}

/// The gate's side of the run's network is made while the sandbox is built.
class Network::Entry final : public sandbox::Recorder::Entry {
 public:
  Entry(Network& network, UniqueFd space, std::optional<gate::HostNetwork> host, trace::Session& session)
      : network_(network),
        space_(std::move(space)),
        host_(std::move(host)),
        kernel_(session.gate()),
        visit_(describe(session)) {}

  Result<void> finish() override {
    RH_TRY(auto sockets, visit_.finish());
    return network_.serve(std::move(sockets), kernel_);
  }

 private:
  [[nodiscard]] gate::RunNetwork describe(const trace::Session& session) const {
    gate::RunNetwork run;
    run.netns = space_.get();
    run.packet_program = session.packet_program();
    run.packet_class = session.packet_class();
    run.mirror = host_ ? &*host_ : nullptr;
    run.shows_ipv6 = gate::has_ipv6_address();
    return run;
  }

  Network& network_;
  UniqueFd space_;
  std::optional<gate::HostNetwork> host_;
  struct rh_gate& kernel_;
  gate::Visit visit_;  // uses the others: it ends first
};

Result<void> Network::begin(trace::Session& session) {
  RH_TRY(log_, bundle_.create_file(kLog));
  const bool keeps =
      !plan_.rules.mock.empty() || std::ranges::any_of(plan_.rules.pass, [](const gate::PassRule& rule) {
        return rule.record == gate::Record::kYes;
      });
  if (keeps) {
    RH_TRY(exchanges_, bundle_.create_file(kExchanges));
  }
  struct rh_gate& kernel = session.gate();
  // The rules are the gate's alone: no other worker inherits them.
  RH_CHECK(WorkerProcess::keep_from_workers({&kernel, sizeof kernel}));
  setup_.rules = &plan_.rules;
  setup_.rule_names = &plan_.kernel.names;
  setup_.zone = &plan_.zone;
  setup_.dns = plan_.dns;
  setup_.kernel = &kernel;
  setup_.authority = plan_.authority ? &*plan_.authority : nullptr;
  setup_.log = log_.get();
  setup_.exchanges = exchanges_.get();
  setup_.begun_ns = monotonic_ns();
  // What cannot be served must not begin.
  return plan_.rules.mock.empty() && plan_.rules.pass.empty() ? Result<void>{} : start_worker();
}

Result<void> Network::start_worker() {
  RH_TRY(auto worker, gate::Worker::start(setup_));
  worker_.emplace(std::move(worker));
  return {};
}

Result<std::unique_ptr<sandbox::Recorder::Entry>> Network::enter(UniqueFd network, trace::Session& session) {
  std::optional<gate::HostNetwork> host;
  if (plan_.mirror) {
    RH_TRY(host, gate::HostNetwork::read());
  }
  own_ = host::own_addresses();
  return std::make_unique<Entry>(*this, std::move(network), std::move(host), session);
}

Result<void> Network::serve(gate::RunSockets sockets, struct rh_gate& kernel) {
  mirror_ = std::move(sockets.mirror);
  // A server inside is reached where it would be on the host, whether or not these are to be seen.
  if (!mirror_.kind.empty()) own_ = {mirror_.own.begin(), mirror_.own.end()};
  if (!gate::own_addresses(own_, kernel) && !mirror_.kind.empty())
    mirror_.missing.push_back(fmt::format("servers inside are reached at {} addresses only", RH_OWN));
  gate::switch_on(plan_.kernel, kernel);
  if (worker_) return worker_->serve(sockets);
  RH_TRY(attention_, wait_for_any(sockets));
  waiting_ = std::move(sockets);
  return {};
}

bool Network::is_own(const IpAddress& address) const {
  const auto found = own_.find(address);
  return found != own_.end() && std::distance(own_.begin(), found) < std::ptrdiff_t{RH_OWN};
}

void Network::attend() {
  if (worker_ || !attention_.valid()) return;
  attention_.reset();
  // Whoever waits is told that nobody comes when the sockets are closed.
  const gate::RunSockets sockets = std::move(waiting_);
  started_ = start_worker();
  if (started_) started_ = worker_->serve(sockets);
}

void Network::end() {
  // What was said last counts too.
  struct pollfd waiting = {attention_.get(), POLLIN, 0};
  if (attention_.valid() && ::poll(&waiting, 1, 0) == 1) attend();
  attention_.reset();
  waiting_ = {};
  if (worker_) worker_->end();
}

Result<gate::GateLog> Network::finish() {
  RH_CHECK(started_);
  if (!worker_) {
    gate::GateLog nothing;
    nothing.totals.emplace();
    return nothing;
  }
  const auto ended = worker_->finish();
  worker_.reset();
  RH_TRY(const auto file, bundle_.open_file(kLog));
  RH_TRY(auto log, gate::read_gate_log(file.get()));
  if (!ended) return tl::make_unexpected(ended.error());
  return log;
}

Result<gate::ExchangeFile> Network::exchanges() const {
  if (!exchanges_.valid()) return gate::ExchangeFile();
  RH_TRY(const auto file, bundle_.open_file(kExchanges));
  return gate::read_exchanges(file.get());
}

}  // namespace rehearse
