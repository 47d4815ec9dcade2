#include "gate/mock_file.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/ascii.h"
#include "base/star_pattern.h"
#include "base/sys.h"
#include "base/toml_file.h"
#include "base/units.h"
#include "gate/http_message.h"
#include "gate/record_data.h"
#include "gate/rule_text.h"

namespace rehearse::gate {
namespace {

constexpr std::int64_t kLongestLatencyNs = 3'600'000'000'000;
constexpr std::string_view kServices[] = {"http", "reply", "script", "smtp", "dns", "datagrams"};

/// Where body files are, and how much of them was read.
struct Bodies {
  int dir;
  std::size_t read = 0;
};

/// The value of another parser, or its error at the key.
template <class Value>
Result<Value> at(const TomlTable& table, std::string_view key, Result<Value> value) {
  if (value) return value;
  return table.error_at(key, value.error().what, value.error().fix);
}

/// The key's text as another parser reads it; nothing if the key is absent.
template <class Value>
Result<std::optional<Value>> parsed(const TomlTable& table, std::string_view key,
                                    Result<Value> (*parse)(std::string_view)) {
  RH_TRY(const auto text, table.text(key));
  if (!text) return std::nullopt;
  RH_TRY(Value value, at(table, key, parse(*text)));
  return value;
}

/// As parsed, of a key that has to be there.
template <class Value>
Result<Value> required(const TomlTable& table, std::string_view key, Result<Value> (*parse)(std::string_view),
                       std::string_view example) {
  RH_TRY(auto value, parsed(table, key, parse));
  if (!value)
    return table.error(fmt::format("\"{}\" is missing", key), fmt::format("write {} = \"{}\"", key, example));
  return std::move(*value);
}

Result<PassRule> read_pass(const TomlTable& table) {
  RH_CHECK(table.allow_only({"to", "bytes", "rate", "time", "record"}));
  PassRule rule;
  RH_TRY(rule.to, required(table, "to", parse_pass_endpoint, "tcp:deb.example.org:443"));
  RH_TRY(rule.limits.bytes, parsed(table, "bytes", parse_limit));
  RH_TRY(rule.limits.bytes_per_second, parsed(table, "rate", parse_rate));
  RH_TRY(rule.limits.time_ns, parsed(table, "time", parse_time_limit));
  RH_TRY(const auto record, table.boolean("record"));
  rule.record = record.value_or(false) ? Record::kYes : Record::kNo;
  return rule;
}

Result<DenyRule> read_deny(const TomlTable& table) {
  RH_CHECK(table.allow_only({"to", "errno"}));
  DenyRule rule;
  RH_TRY(rule.to, required(table, "to", parse_endpoint, "tcp:*:25"));
  RH_TRY(const auto how, parsed(table, "errno", parse_refusal));
  rule.how = how.value_or(Refusal());
  return rule;
}

Result<std::string> read_body_file(const TomlTable& route, const std::string& name, Bodies& bodies) {
  const auto file = sys::open_beneath(bodies.dir, name.c_str(), O_RDONLY | O_NONBLOCK);
  constexpr const char* kWhere = "name a file below the directory of this file, without symlinks on the way";
  if (!file && file.error().err == EXDEV)
    return route.error_at("body_file", "is not below the directory of this file", kWhere);
  if (!file && file.error().err == ELOOP)
    return route.error_at("body_file", "has a symlink on the way", kWhere);
  if (!file) return route.error_at("body_file", file.error().what, kWhere);
  const auto stat = sys::stat_fd(file->get());
  if (!stat || !S_ISREG(stat->st_mode))
    return route.error_at("body_file", "is not a regular file", "name a file that holds the body");
  const std::size_t room = std::min(kLargestBodyFile, kLargestBodies - bodies.read);
  auto body = sys::read_all(file->get(), room);
  if (!body)
    return route.error_at("body_file", body.error().what,
                          "a body file has at most 16 MiB, all of them 64 MiB");
  bodies.read += body->size();
  return std::move(*body);
}

Result<std::vector<Header>> read_headers(const TomlTable& route, std::string_view key) {
  RH_TRY(const auto pairs, route.text_pairs(key));
  std::vector<Header> headers;
  for (const auto& [name, value] : pairs) {
    if (!is_http_token(name))
      return route.error_at(key, fmt::format("\"{}\" is no header name", name),
                            "write a name such as X-Request-Id");
    if (!is_http_value(value))
      return route.error_at(key, fmt::format("the value of \"{}\" has control characters", name),
                            "write it in one line");
    headers.push_back({name, value});
  }
  return headers;
}

Result<> check_pattern(const TomlTable& table, std::string_view key, const std::string& pattern) {
  if (pattern.size() <= kLongestPattern) return {};
  return table.error_at(key, "is longer than 1024 bytes", "shorten it with a star");
}

Result<Fault> parse_fault(std::string_view text) {
  if (text == "reset") return Fault::kReset;
  if (text == "timeout") return Fault::kTimeout;
  if (text == "truncate") return Fault::kTruncate;
  if (text == "5xx") return Fault::kServerError;
  return fail(fmt::format("\"{}\" is no fault", text), ExitCode::kConfig,
              "write reset, timeout, truncate or 5xx");
}

Result<std::string> parse_method(std::string_view text) {
  if (is_http_token(text) && ascii_lower(text) != text) return std::string(text);
  return fail(fmt::format("\"{}\" is no method", text), ExitCode::kConfig,
              "write it as it is sent, in capitals: GET; leave the key out for any method");
}

Result<std::string> parse_path(std::string_view text) {
  if (text.starts_with('/') || text.starts_with('*')) return std::string(text);
  return fail(fmt::format("\"{}\" does not begin with a slash", text), ExitCode::kConfig,
              "write a path such as /hooks/*, or /** for any");
}

Result<> read_request_side(const TomlTable& table, HttpRoute& route) {
  RH_TRY(route.method, parsed(table, "method", parse_method));
  RH_TRY(const auto path, parsed(table, "path", parse_path));
  route.path = path.value_or(route.path);
  RH_CHECK(check_pattern(table, "path", route.path));
  RH_TRY(route.headers, read_headers(table, "headers"));
  for (const Header& header : route.headers) RH_CHECK(check_pattern(table, "headers", header.value));
  return {};
}

Result<> read_body(const TomlTable& table, HttpRoute& route, Bodies& bodies) {
  RH_TRY(const auto body, table.text("body"));
  RH_TRY(const auto file, table.text("body_file"));
  if (body && file) return table.error_at("body_file", "there is \"body\" too", "leave one of them out");
  if (body) route.body = *body;
  if (file) {
    RH_TRY(route.body, read_body_file(table, *file, bodies));
  }
  if (!route.body.empty() && (route.status == 204 || route.status == 205 || route.status == 304))
    return table.error(fmt::format("status {} has no body (RFC 9110)", route.status), "leave the body out");
  if (route.fault == Fault::kTruncate && route.body.size() < 2)
    return table.error_at("fault", "there is no body to cut", "give the route a body of two bytes or more");
  return {};
}

Result<HttpRoute> read_route(const TomlTable& table, Bodies& bodies) {
  RH_CHECK(table.allow_only(
      {"method", "path", "headers", "status", "reply_headers", "body", "body_file", "latency", "fault"}));
  HttpRoute route;
  RH_CHECK(read_request_side(table, route));
  RH_TRY(const auto status, table.integer("status", 200, 599));
  route.status = static_cast<std::uint16_t>(status.value_or(route.status));
  RH_TRY(route.reply_headers, read_headers(table, "reply_headers"));
  for (const Header& header : route.reply_headers) {
    for (const std::string_view own : {"content-length", "transfer-encoding", "connection"}) {
      if (equal_ignoring_case(header.name, own))
        return table.error_at("reply_headers", fmt::format("{} is written by rehearse", header.name),
                              "leave it out; fault = \"truncate\" makes a body end early");
    }
  }
  RH_TRY(const auto latency, parsed(table, "latency", parse_duration));
  route.latency_ns = latency.value_or(0);
  if (route.latency_ns > kLongestLatencyNs)
    return table.error_at("latency", "is longer than an hour", "fault = \"timeout\" never answers");
  RH_TRY(const auto fault, parsed(table, "fault", parse_fault));
  route.fault = fault.value_or(Fault::kNone);
  RH_CHECK(read_body(table, route, bodies));
  return route;
}

Result<HttpMock> read_http(const TomlTable& mock, Bodies& bodies) {
  HttpMock http;
  RH_TRY(const auto tables, mock.tables("http"));
  for (const TomlTable& table : tables) {
    RH_TRY(HttpRoute route, read_route(table, bodies));
    http.routes.push_back(std::move(route));
  }
  if (http.routes.empty())
    return mock.error_at("http", "has no routes", "write http = [ { path = \"/**\", body = \"ok\" } ]");
  return http;
}

Result<ScriptMock> read_script(const TomlTable& mock) {
  ScriptMock script;
  RH_TRY(const auto tables, mock.tables("script"));
  for (const TomlTable& table : tables) {
    RH_CHECK(table.allow_only({"expect", "send"}));
    ScriptMock::Step step;
    RH_TRY(step.expect, table.text("expect"));
    RH_TRY(const auto send, table.text("send"));
    if (!step.expect && !send)
      return table.error("the step does nothing", "write expect = \"LINE\", send = \"TEXT\\r\\n\", or both");
    if (step.expect) RH_CHECK(check_pattern(table, "expect", *step.expect));
    if (step.expect && step.expect->find_first_of("\r\n") != std::string::npos)
      return table.error_at("expect", "has an end of line", "write the line without its end");
    step.send = send.value_or("");
    script.steps.push_back(std::move(step));
  }
  if (script.steps.empty())
    return mock.error_at("script", "has no steps", "write script = [ { send = \"hello\\r\\n\" } ]");
  return script;
}

Result<SmtpMock> read_smtp(const TomlTable& mock) {
  SmtpMock smtp;
  RH_TRY(const auto table, mock.table("smtp"));
  RH_CHECK(table->allow_only({"name", "max_size"}));
  RH_TRY(const auto name, parsed(*table, "name", parse_host_name));
  RH_TRY(const auto size, parsed(*table, "max_size", parse_limit));
  smtp.name = name.value_or(smtp.name);
  smtp.max_bytes = size.value_or(smtp.max_bytes);
  return smtp;
}

Result<DatagramRoute> read_datagram(const TomlTable& table) {
  RH_CHECK(table.allow_only({"expect", "expect_hex", "reply", "reply_hex"}));
  DatagramRoute route;
  RH_TRY(const auto line, table.text("expect"));
  RH_TRY(auto bytes, parsed(table, "expect_hex", parse_hex_pattern));
  RH_TRY(const auto text, table.text("reply"));
  RH_TRY(auto hex, parsed(table, "reply_hex", parse_hex_reply));
  if (line && bytes) return table.error_at("expect_hex", "there is \"expect\" too", "leave one of them out");
  if (text && hex) return table.error_at("reply_hex", "there is \"reply\" too", "leave one of them out");
  if (line) {
    RH_CHECK(check_pattern(table, "expect", *line));
    route.expect = *line;
  }
  if (bytes) route.expect = std::move(*bytes);
  if (text && text->size() > kLargestDatagram)
    return table.error_at("reply", "is longer than a datagram can be", "65507 bytes at most");
  route.replies = text || hex;
  if (text) route.reply.emplace_back(*text);
  if (hex) route.reply = std::move(*hex);
  return route;
}

Result<DatagramMock> read_datagrams(const TomlTable& mock) {
  DatagramMock datagrams;
  RH_TRY(const auto tables, mock.tables("datagrams"));
  for (const TomlTable& table : tables) {
    RH_TRY(DatagramRoute route, read_datagram(table));
    datagrams.routes.push_back(std::move(route));
  }
  if (datagrams.routes.empty())
    return mock.error_at("datagrams", "has no routes",
                         "write datagrams = [ { expect = \"*\", reply = \"ok\" } ]");
  return datagrams;
}

Result<DnsMock> read_record(const TomlTable& table) {
  RH_CHECK(table.allow_only({"name", "type", "data", "ttl"}));
  DnsMock record;
  record.place = table.place();
  RH_TRY(record.name, required(table, "name", parse_name_pattern, "api.example.com"));
  RH_TRY(record.type, required(table, "type", parse_dns_type, "A"));
  RH_TRY(const auto data, table.text("data"));
  if (record.type == kNoSuchName) {
    for (const std::string_view key : {"data", "ttl"}) {
      if (table.has(key))
        return table.error_at(key, "a name that does not exist has none", "leave the key out");
    }
    return record;
  }
  if (!data)
    return table.error("\"data\" is missing",
                       fmt::format("write data = \"{}\"", dns_data_example(record.type)));
  RH_TRY(record.data, at(table, "data", parse_dns_data(record.type, *data)));
  RH_TRY(const auto ttl, table.integer("ttl", 0, INT32_MAX));
  record.ttl = static_cast<std::uint32_t>(ttl.value_or(record.ttl));
  return record;
}

Result<> read_dns(const TomlTable& mock, std::vector<DnsMock>& records) {
  for (const std::string_view key : {"listen", "tls"}) {
    if (mock.has(key))
      return mock.error_at(key, "DNS records are answered wherever they are asked for", "leave the key out");
  }
  RH_TRY(const auto tables, mock.tables("dns"));
  for (const TomlTable& table : tables) {
    RH_TRY(DnsMock record, read_record(table));
    records.push_back(std::move(record));
  }
  return {};
}

/// The one service that the table describes.
Result<std::string_view> service_key(const TomlTable& mock) {
  std::string_view found;
  for (const std::string_view key : kServices) {
    if (!mock.has(key)) continue;
    if (!found.empty())
      return mock.error_at(key, fmt::format("there is \"{}\" too", found),
                           "write a [[mock]] for each service");
    found = key;
  }
  if (!found.empty()) return found;
  return mock.error("it says nothing", "write one of http, reply, script, smtp, datagrams and dns");
}

Result<MockService> read_service(const TomlTable& mock, std::string_view key, Protocol protocol,
                                 Bodies& bodies) {
  if (key == "http") return read_http(mock, bodies);
  if (key == "smtp") return read_smtp(mock);
  if (key == "script") return read_script(mock);
  if (key == "datagrams") return read_datagrams(mock);
  RH_TRY(const auto reply, mock.text("reply"));
  if (protocol == Protocol::kTcp) return ScriptMock{{{std::nullopt, *reply}}};
  if (reply->size() > kLargestDatagram)
    return mock.error_at("reply", "is longer than a datagram can be", "65507 bytes at most");
  return DatagramMock{{{std::monostate(), {*reply}, true}}};
}

/// Of UDP there are datagrams, of TCP everything else; a reply is either's.
Result<> check_protocol(const TomlTable& mock, std::string_view key, Protocol protocol) {
  if (protocol == Protocol::kTcp) {
    if (key == "datagrams") return mock.error_at("listen", "datagrams are of UDP", "write udp:HOST:PORT");
    return {};
  }
  if (mock.has("tls")) return mock.error_at("tls", "there is none over UDP", "leave the key out");
  if (key == "reply" || key == "datagrams") return {};
  return mock.error_at(key, "is a service of TCP, and the mock listens on UDP",
                       "write datagrams = [ { expect = \"*\", reply = \"ok\" } ], or tcp:HOST:PORT");
}

Result<> read_mock(const TomlTable& table, MockFile& file, Bodies& bodies) {
  RH_CHECK(table.allow_only({"listen", "tls", "http", "reply", "script", "smtp", "dns", "datagrams"}));
  RH_TRY(const std::string_view key, service_key(table));
  if (key == "dns") return read_dns(table, file.dns);
  Mock mock;
  RH_TRY(mock.listen, required(table, "listen", parse_listen, "tcp:api.example.com:80"));
  RH_TRY(const auto tls, table.boolean("tls"));
  mock.tls = tls.value_or(false);
  RH_CHECK(check_protocol(table, key, mock.listen.protocol));
  RH_TRY(mock.service, read_service(table, key, mock.listen.protocol, bodies));
  mock.place = table.place();
  file.rules.mock.push_back(std::move(mock));
  return {};
}

Result<> check_root(const TomlTable& root) {
  RH_CHECK(root.allow_only({"schema", "pass", "deny", "mock"}));
  RH_TRY(const auto schema, root.text("schema"));
  if (schema && *schema != "rehearse.mock/1")
    return root.error_at("schema", fmt::format("\"{}\" is not known", *schema), "write \"rehearse.mock/1\"");
  return {};
}

}  // namespace

Result<MockFile> parse_mock_file(std::string_view text, const std::string& path, FileKind kind, int dir) {
  RH_TRY(const TomlFile toml, TomlFile::parse(text, path));
  const TomlTable root = toml.root();
  if (kind == FileKind::kMock) RH_CHECK(check_root(root));
  MockFile file;
  Bodies bodies{dir};
  RH_TRY(const auto passes, root.tables("pass"));
  for (const TomlTable& table : passes) {
    RH_TRY(PassRule rule, read_pass(table));
    file.rules.pass.push_back(std::move(rule));
  }
  RH_TRY(const auto denies, root.tables("deny"));
  for (const TomlTable& table : denies) {
    RH_TRY(DenyRule rule, read_deny(table));
    file.rules.deny.push_back(rule);
  }
  RH_TRY(const auto mocks, root.tables("mock"));
  for (const TomlTable& table : mocks) RH_CHECK(read_mock(table, file, bodies));
  return file;
}

}  // namespace rehearse::gate
