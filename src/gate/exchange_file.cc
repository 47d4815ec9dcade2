#include "gate/exchange_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "base/digest.h"
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/sys.h"
#include "gate/json_words.h"

namespace rehearse::gate {
namespace {

constexpr std::string_view kSchema = "rehearse.exchanges/1";
constexpr std::size_t kLargestFile = 128U << 20U;
constexpr std::size_t kLongestLine = 8U << 20U;
constexpr std::size_t kPiece = 64U << 10U;      ///< of the file, written at once
constexpr std::size_t kLargeBody = 4096;        ///< is written once
constexpr std::uint64_t kFindings = 8U << 20U;  ///< of the file, beyond its end, for findings alone

constexpr std::pair<ExchangeKind, std::string_view> kKinds[] = {
    {ExchangeKind::kHttp, "http"}, {ExchangeKind::kSmtp, "smtp"}, {ExchangeKind::kStream, "stream"}};
constexpr std::pair<Outcome, std::string_view> kOutcomes[] = {
    {Outcome::kServed, "served"},        {Outcome::kPassed, "passed"},       {Outcome::kReplayed, "replayed"},
    {Outcome::kUnmatched, "unmatched"},  {Outcome::kMalformed, "malformed"}, {Outcome::kDiverged, "diverged"},
    {Outcome::kUnanswered, "unanswered"}};

constexpr std::pair<Ending, std::string_view> kEndings[] = {{Ending::kWhole, "whole"},
                                                            {Ending::kCut, "cut"},
                                                            {Ending::kReset, "reset"},
                                                            {Ending::kSilence, "silence"},
                                                            {Ending::kNone, "none"}};

using Bodies = std::unordered_map<std::string, std::shared_ptr<const std::string>>;

/// What a large body of a reply is known by within the file; empty for others.
std::string name_of_body(const Exchange& exchange) {
  const std::string& body = exchange.reply.body;
  return exchange.kind == ExchangeKind::kHttp && body.size() >= kLargeBody ? hex(sha256(body))
                                                                           : std::string();
}

/// `known`: the body is in the file already, under this name.
void write_part(JsonWriter& json, std::string_view name, const Part& part, const std::string& known) {
  json.key(name).open_object();
  json.bytes("head", part.head);
  json.key("headers").open_array();
  for (const Header& header : part.headers) {
    json.open_object().bytes("name", header.name).bytes("value", header.value).close_object();
  }
  json.close_array();
  if (known.empty()) {
    json.key("body").string(base64(part.body));
  } else {
    json.key("body_again").string(known);
  }
  json.key("body_bytes").integer(part.body_bytes);
  if (!part.digest.empty()) json.key("body_sha256").string(part.digest);
  json.close_object();
}

std::string to_line(const KeptExchange& kept, const std::string& known_reply) {
  std::string line;
  JsonWriter json(line);
  json.open_object().key("connection").integer(kept.connection).key("time_s").seconds(kept.time_ns);
  json.key("proto").string(word_of<Protocol>(kProtocols, kept.protocol)).bytes("dst", kept.address);
  json.key("port").integer(std::uint64_t{kept.port}).bytes("name", kept.name).bytes("rule", kept.rule);
  const Exchange& exchange = kept.exchange;
  json.key("kind").string(to_string(exchange.kind)).key("outcome").string(to_string(exchange.outcome));
  json.bytes("remark", exchange.remark).key("redacted").integer(kept.redacted);
  write_part(json, "request", exchange.request, {});
  write_part(json, "reply", exchange.reply, known_reply);
  json.key("ending").string(to_string(exchange.ending));
  if (exchange.after_end) json.key("after_end").boolean(true);
  if (exchange.tls) json.key("tls").boolean(*exchange.tls);
  json.close_object();
  line += '\n';
  return line;
}

Part read_part(JsonReader json, const Bodies& known, std::string& error) {
  Part part;
  part.head = json.bytes("head");
  json.each("headers", [&](const nlohmann::json& item, const std::string& where) {
    JsonReader header(item, where + ".", error);
    part.headers.push_back({header.bytes("name"), header.bytes("value")});
  });
  if (json.find("body_again") != nullptr) {
    const auto found = known.find(json.bytes("body_again"));
    if (found == known.end()) {
      json.wrong("body_again", "a body of a line before");
    } else {
      part.shared = found->second;
    }
  } else {
    part.body = json.decode("body", json.bytes("body"));
  }
  part.body_bytes = json.integer<std::uint64_t>("body_bytes");
  if (json.find("body_sha256") != nullptr) part.digest = json.bytes("body_sha256");
  if (part.text().size() > part.body_bytes) json.wrong("body_bytes", "the length of the body or more");
  return part;
}

/// Bodies that may come again are put into `known`, which the exchange shares.
KeptExchange read_exchange(JsonReader& json, Bodies& known, std::string& error) {
  KeptExchange kept;
  kept.connection = json.integer<std::uint64_t>("connection");
  kept.time_ns = json.seconds("time_s");
  kept.protocol = value_of<Protocol>(kProtocols, json, "proto");
  kept.address = json.bytes("dst");
  kept.port = json.integer<std::uint16_t>("port");
  kept.name = json.bytes("name");
  kept.rule = json.bytes("rule");
  kept.redacted = json.integer<std::uint64_t>("redacted");
  kept.exchange.kind = value_of<ExchangeKind>(kKinds, json, "kind");
  kept.exchange.outcome = value_of<Outcome>(kOutcomes, json, "outcome");
  kept.exchange.remark = json.bytes("remark");
  kept.exchange.request = read_part(json.child("request"), {}, error);
  kept.exchange.reply = read_part(json.child("reply"), known, error);
  if (const std::string name = name_of_body(kept.exchange); !name.empty()) {
    auto& body = known[name];
    if (!body) body = std::make_shared<const std::string>(kept.exchange.reply.body);
    kept.exchange.reply.shared = body;
    kept.exchange.reply.body.clear();
  }
  // Files of before have none of these.
  const bool answered = kept.exchange.kind != ExchangeKind::kHttp || !kept.exchange.reply.head.empty();
  kept.exchange.ending = json.find("ending") != nullptr ? value_of<Ending>(kEndings, json, "ending")
                         : answered                     ? Ending::kWhole
                                                        : Ending::kNone;
  if (json.find("after_end") != nullptr) kept.exchange.after_end = json.boolean("after_end");
  if (json.find("tls") != nullptr) kept.exchange.tls = json.boolean("tls");
  return kept;
}

tl::unexpected<Error> line_error(std::size_t number, std::string_view what) {
  return fail(fmt::format("line {} of the recorded exchanges: {}", number, what), ExitCode::kDataError,
              "the recording is damaged: record the run again");
}

/// Adds what one line says.
Result<> take_line(std::size_t number, std::string_view line, Bodies& known, ExchangeFile& file) {
  if (line.size() > kLongestLine) return line_error(number, "longer than 8 MiB");
  const nlohmann::json document = nlohmann::json::parse(line, nullptr, false);
  if (document.is_discarded()) return line_error(number, "not well-formed JSON");
  std::string error;
  JsonReader json(document, "", error);
  if (number == 1) {
    if (json.bytes("schema") != kSchema) json.wrong("schema", "\"rehearse.exchanges/1\"");
  } else if (json.find("dropped") != nullptr) {
    file.dropped = json.integer<std::uint64_t>("dropped");
  } else {
    file.exchanges.push_back(read_exchange(json, known, error));
  }
  if (!error.empty()) return line_error(number, error);
  return {};
}

}  // namespace

std::string_view to_string(ExchangeKind value) {
  return word_of<ExchangeKind>(kKinds, value);
}

std::string_view to_string(Outcome value) {
  return word_of<Outcome>(kOutcomes, value);
}

std::string_view to_string(Ending value) {
  return word_of<Ending>(kEndings, value);
}

Result<ExchangeWriter> ExchangeWriter::create(int fd, ExchangeLimits limits, RedactionRules rules) {
  ExchangeWriter writer(fd, limits, std::move(rules));
  const std::string line = fmt::format("{{\"schema\":\"{}\"}}\n", kSchema);
  RH_CHECK(sys::write_all(fd, line));
  writer.written_ = line.size();
  return writer;
}

Result<> ExchangeWriter::write(KeptExchange exchange) {
  exchange.redacted += redact(exchange.exchange, rules_);
  for (Part* part : {&exchange.exchange.request, &exchange.exchange.reply})
    part->body.resize(std::min(part->body.size(), limits_.body_bytes));
  const std::string body = name_of_body(exchange.exchange);
  const bool known = !body.empty() && bodies_.contains(body);
  if (add(to_line(exchange, known ? body : std::string()), limits_.file_bytes)) {
    if (!body.empty()) bodies_.insert(body);
  } else {
    const bool finding = is_finding(exchange.exchange.outcome);
    exchange.exchange.request.body.clear();
    exchange.exchange.reply.body.clear();
    if (!finding || !add(to_line(exchange, {}), limits_.file_bytes + kFindings)) ++dropped_;
  }
  return pending_.size() < kPiece ? Result<>() : flush();
}

/// False if there is no room for it.
bool ExchangeWriter::add(const std::string& line, std::uint64_t most_bytes) {
  if (written_ + line.size() > most_bytes) return false;
  pending_ += line;
  written_ += line.size();
  return true;
}

Result<> ExchangeWriter::flush() {
  const std::string text = std::exchange(pending_, {});
  if (broken_) return {};
  auto written = sys::write_all(fd_, text);
  if (!written) broken_ = written.error();
  return written;
}

Result<> ExchangeWriter::finish() {
  if (dropped_ != 0) pending_ += fmt::format("{{\"dropped\":{}}}\n", dropped_);
  RH_CHECK(flush());
  if (broken_) return tl::make_unexpected(*broken_);
  return {};
}

Result<ExchangeFile> parse_exchanges(std::string_view text) {
  ExchangeFile file;
  Bodies known;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    RH_CHECK(take_line(++number, text.substr(0, end), known, file));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (number == 0) return line_error(1, "there is none");
  return file;
}

Result<ExchangeFile> read_exchanges(int fd) {
  RH_TRY(const std::string text, sys::read_all(fd, kLargestFile));
  return parse_exchanges(text);
}

}  // namespace rehearse::gate
