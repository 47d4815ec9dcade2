#include "gate/gate_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/sys.h"
#include "gate/json_words.h"
#include "gate/redaction.h"

namespace rehearse::gate {
namespace {

constexpr std::string_view kSchema = "rehearse.gate/1";
constexpr std::size_t kLargestEnd = 4096;  ///< of the last line
constexpr std::size_t kLongestLine = std::size_t{64} << 10U;
constexpr std::size_t kPiece = std::size_t{64} << 10U;  ///< written at once
/// Different questions whose repetitions are counted; each repetition of others is a line.
constexpr std::size_t kMostAsked = 32768;
constexpr std::size_t kMostAskedBytes = std::size_t{4} << 20U;
constexpr std::size_t kMostEnds = 64;  ///< of one question, that have lines of their own
constexpr std::size_t kMostAddresses = 64;

constexpr std::pair<GateVerdict, std::string_view> kVerdicts[] = {{GateVerdict::kPassed, "passed"},
                                                                  {GateVerdict::kMocked, "mocked"},
                                                                  {GateVerdict::kReplayed, "replayed"},
                                                                  {GateVerdict::kDenied, "denied"}};
constexpr std::pair<DnsAnswer, std::string_view> kAnswers[] = {
    {DnsAnswer::kSynthetic, "synthetic"}, {DnsAnswer::kMocked, "mocked"},
    {DnsAnswer::kLocal, "local"},         {DnsAnswer::kNoData, "nodata"},
    {DnsAnswer::kNxDomain, "nxdomain"},   {DnsAnswer::kRefused, "refused"}};

/// The totals by name, for both directions.
constexpr std::pair<const char*, std::uint64_t GateTotals::*> kTotals[] = {
    {"questions", &GateTotals::questions},
    {"connections", &GateTotals::connections},
    {"flows", &GateTotals::flows},
    {"refused", &GateTotals::refused},
    {"dropped_datagrams", &GateTotals::dropped_datagrams},
    {"dropped_exchanges", &GateTotals::dropped_exchanges},
    {"unused_recordings", &GateTotals::unused_recordings},
    {"lines_not_kept", &GateTotals::lines_not_kept}};

std::string_view cut(const std::string& text) {
  return std::string_view(text).substr(0, kMostTextKept);
}

std::string to_line(const QuestionRecord& record) {
  std::string line;
  JsonWriter json(line);
  json.open_object().key("type").string("dns").bytes("name", cut(record.question.name));
  json.key("qtype").string(to_string(record.question.type));
  json.key("answer").string(word_of<DnsAnswer>(kAnswers, record.question.answered));
  json.key("addresses").open_array();
  for (const IpAddress& address : record.question.addresses) json.string(format_ip(address));
  json.close_array().key("protocol").string(word_of<Protocol>(kProtocols, record.ends.protocol));
  json.key("server").string(format_ip(record.ends.server));
  json.key("client_port").integer(std::uint64_t{record.ends.client_port});
  json.key("time_ns").integer(record.time_ns).key("count").integer(record.count);
  json.close_object();
  line += '\n';
  return line;
}

std::string to_line(const ConnectionRecord& record) {
  std::string line;
  JsonWriter json(line);
  json.open_object().key("type").string("connection").key("id").integer(record.id);
  if (record.refused_in != 0) json.key("refused_in").integer(record.refused_in);
  json.key("protocol").string(word_of<Protocol>(kProtocols, record.protocol));
  json.key("address").string(format_ip(record.address)).key("port").integer(std::uint64_t{record.port});
  json.key("client_address").string(format_ip(record.client_address));
  json.key("client_port").integer(std::uint64_t{record.client_port});
  json.bytes("name", cut(record.name)).bytes("sni", cut(record.sni));
  std::string path = record.http_path;
  redact(path);
  json.bytes("http_host", cut(record.http_host)).bytes("http_path", cut(path));
  json.key("verdict").string(to_string(record.verdict)).bytes("rule", cut(record.rule));
  json.key("bytes_out").integer(record.bytes_out).key("bytes_in").integer(record.bytes_in);
  json.key("begun_ns").integer(record.begun_ns).key("ended_ns").integer(record.ended_ns);
  json.bytes("error", cut(record.error)).close_object();
  line += '\n';
  return line;
}

IpAddress address_of(JsonReader& json, const char* member, const std::string& text) {
  const auto address = parse_ip(text);
  if (!address) json.wrong(member, "an address");
  return address.value_or(IpAddress{});
}

QuestionRecord read_question(JsonReader& json) {
  QuestionRecord record;
  record.question.name = json.bytes("name");
  const auto type = parse_type(json.bytes("qtype"));
  if (!type) json.wrong("qtype", "a type of records");
  record.question.type = type.value_or(DnsType::kA);
  record.question.answered = value_of<DnsAnswer>(kAnswers, json, "answer");
  json.each("addresses", [&](const nlohmann::json& item, const std::string& /*where*/) {
    if (!item.is_string() || record.question.addresses.size() == kMostAddresses) {
      json.wrong("addresses", "a short list of addresses");
    } else {
      record.question.addresses.push_back(address_of(json, "addresses", item.get_ref<const std::string&>()));
    }
  });
  record.ends.protocol = value_of<Protocol>(kProtocols, json, "protocol");
  record.ends.server = address_of(json, "server", json.bytes("server"));
  record.ends.client_port = json.integer<std::uint16_t>("client_port");
  record.time_ns = json.integer<std::int64_t>("time_ns");
  record.count = json.integer<std::uint64_t>("count");
  return record;
}

ConnectionRecord read_connection(JsonReader& json) {
  ConnectionRecord record;
  record.id = json.integer<std::uint64_t>("id");
  record.refused_in = json.optional_integer<std::uint64_t>("refused_in").value_or(0);
  record.protocol = value_of<Protocol>(kProtocols, json, "protocol");
  record.address = address_of(json, "address", json.bytes("address"));
  record.port = json.integer<std::uint16_t>("port");
  record.client_address = address_of(json, "client_address", json.bytes("client_address"));
  record.client_port = json.integer<std::uint16_t>("client_port");
  record.name = json.bytes("name");
  record.sni = json.bytes("sni");
  record.http_host = json.bytes("http_host");
  record.http_path = json.bytes("http_path");
  record.verdict = value_of<GateVerdict>(kVerdicts, json, "verdict");
  record.rule = json.bytes("rule");
  record.bytes_out = json.integer<std::uint64_t>("bytes_out");
  record.bytes_in = json.integer<std::uint64_t>("bytes_in");
  record.begun_ns = json.integer<std::int64_t>("begun_ns");
  record.ended_ns = json.integer<std::int64_t>("ended_ns");
  record.error = json.bytes("error");
  return record;
}

tl::unexpected<Error> line_error(std::size_t number, std::string_view what) {
  return fail(fmt::format("line {} of the gate's log: {}", number, what), ExitCode::kDataError);
}

/// Reads line after line; repeated questions are put together.
class Reader {
 public:
  Result<void> take(std::string_view line) {
    ++number_;
    if (line.size() > kLongestLine) return line_error(number_, "longer than 64 KiB");
    if (log_.totals) return line_error(number_, "it stands behind the totals");
    const nlohmann::json document = nlohmann::json::parse(line, nullptr, false);
    if (document.is_discarded()) return line_error(number_, "not well-formed JSON");
    std::string error;
    JsonReader json(document, "", error);
    if (number_ == 1) {
      if (json.bytes("schema") != kSchema) json.wrong("schema", "\"rehearse.gate/1\"");
    } else {
      take_object(json);
    }
    if (!error.empty()) return line_error(number_, error);
    return {};
  }
  GateLog finish() { return std::move(log_); }

 private:
  void take_object(JsonReader& json) {
    const std::string type = json.bytes("type");
    if (type == "dns") {
      add(read_question(json));
    } else if (type == "connection") {
      log_.connections.push_back(read_connection(json));
    } else if (type == "totals") {
      log_.totals.emplace();
      for (const auto& [name, total] : kTotals) (*log_.totals).*total = json.integer<std::uint64_t>(name);
    } else {
      json.wrong("type", "dns, connection or totals");
    }
  }
  void add(QuestionRecord record) {
    std::string key = fmt::format(
        "{} {} {} {} {} {}", record.question.name, static_cast<unsigned>(record.question.type),
        static_cast<unsigned>(record.question.answered), static_cast<unsigned>(record.ends.protocol),
        format_ip(record.ends.server), record.ends.client_port);
    const auto [found, added] = places_.emplace(std::move(key), log_.questions.size());
    if (added) {
      log_.questions.push_back(std::move(record));
    } else {
      log_.questions[found->second].count += record.count;
    }
  }

  GateLog log_;
  std::map<std::string, std::size_t> places_;  ///< of questions
  std::size_t number_ = 0;
};

}  // namespace

std::string_view to_string(GateVerdict value) {
  return word_of<GateVerdict>(kVerdicts, value);
}

GateLogWriter::GateLogWriter(int fd, std::uint64_t most_bytes) : fd_(fd), most_bytes_(most_bytes) {
  add(fmt::format("{{\"schema\":\"{}\"}}\n", kSchema));
}

void GateLogWriter::add(const std::string& line) {
  if (bytes_ + line.size() > most_bytes_) {
    ++not_kept_;
    return;
  }
  bytes_ += line.size();
  pending_ += line;
  if (pending_.size() >= kPiece) flush();
}

void GateLogWriter::write(QuestionRecord record) {
  questions_ += record.count;
  const DnsQuestion& question = record.question;
  const auto known = [&] {
    const auto found = asked_.find({question.name, question.type, question.answered, record.ends});
    if (found == asked_.end()) return false;
    found->second.count += record.count;
    return true;
  };
  if (known()) return;
  const auto ends = ends_.find({question.name, question.type, question.answered});
  if (ends != ends_.end() && ends->second >= kMostEnds) {
    record.ends.client_port = 0;
    if (known()) return;
  }
  add(to_line(record));
  const std::size_t size = 3 * record.question.name.size();
  if (asked_.size() == kMostAsked || asked_bytes_ + size > kMostAskedBytes) return;
  asked_bytes_ += size;
  ++ends_[{question.name, question.type, question.answered}];
  Key key(question.name, question.type, question.answered, record.ends);
  record.count = 0;
  asked_.emplace(std::move(key), std::move(record));
}

void GateLogWriter::write(const ConnectionRecord& record) {
  add(to_line(record));
}

void GateLogWriter::flush() {
  if (pending_.empty() || !result_) return;
  result_ = sys::write_all(fd_, pending_);
  pending_.clear();
}

Result<void> GateLogWriter::finish(GateTotals totals) {
  for (const auto& [key, record] : asked_) {
    if (record.count > 0) add(to_line(record));
  }
  totals.questions = questions_;
  totals.lines_not_kept = not_kept_;
  JsonWriter json(pending_);
  json.open_object().key("type").string("totals");
  for (const auto& [name, total] : kTotals) json.key(name).integer(totals.*total);
  json.close_object();
  pending_ += '\n';
  flush();
  return result_;
}

Result<GateLog> parse_gate_log(std::string_view text) {
  Reader reader;
  if (text.size() > kMostLog + kLargestEnd) return fail("the gate's log is too large", ExitCode::kDataError);
  // A line without its end is of a worker that was killed.
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    RH_CHECK(reader.take(text.substr(0, end)));
    text.remove_prefix(end + 1);
  }
  return reader.finish();
}

Result<GateLog> read_gate_log(int fd) {
  if (::lseek(fd, 0, SEEK_SET) < 0) return sys::last_error("lseek", "the gate's log");
  RH_TRY(const std::string text, sys::read_all(fd, kMostLog + kLargestEnd));
  return parse_gate_log(text);
}

}  // namespace rehearse::gate
