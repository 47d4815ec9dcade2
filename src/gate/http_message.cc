#include "gate/http_message.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/ascii.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kLongestChunkLine = 1024;

/// Calls `visit` with each element of a comma-separated list until it says true; then the answer is true.
template <class Visit>
bool any_element(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view element = trim(list.substr(0, comma));
    if (!element.empty() && visit(element)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// 0 or 1 of "HTTP/1.x"; nullopt for anything else.
std::optional<unsigned> parse_version(std::string_view text) {
  if (text == "HTTP/1.1") return 1U;
  if (text == "HTTP/1.0") return 0U;
  return std::nullopt;
}

bool is_version_of_http(std::string_view text) {
  return text.size() == 8 && text.starts_with("HTTP/") && is_ascii_digit(text[5]) && text[6] == '.' &&
         is_ascii_digit(text[7]);
}

bool is_target(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f;
  });
}

constexpr std::pair<std::uint16_t, std::string_view> kReasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {418, "I'm a teapot"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {511, "Network Authentication Required"},
};

}  // namespace

const std::string* HttpMessage::header(std::string_view name) const {
  const auto found = std::ranges::find_if(
      headers, [&](const Header& header) { return equal_ignoring_case(header.name, name); });
  return found == headers.end() ? nullptr : &found->value;
}

bool HttpMessage::lists(std::string_view name, std::string_view token) const {
  return std::ranges::any_of(headers, [&](const Header& header) {
    return equal_ignoring_case(header.name, name) && any_element(header.value, [&](std::string_view element) {
             return equal_ignoring_case(element, token);
           });
  });
}

bool HttpMessage::keeps_alive() const {
  if (lists("connection", "close")) return false;
  return minor == 1 || lists("connection", "keep-alive");
}

bool is_http_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_ascii_letter(c) || is_ascii_digit(c) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

bool is_http_value(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

std::string_view target_path(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (target.starts_with('/') || scheme == std::string_view::npos) return target;
  const std::size_t path = target.find_first_of("/?", scheme + 3);
  return path == std::string_view::npos ? "/" : target.substr(path);
}

std::string_view reason_phrase(std::uint16_t status) {
  const auto* const found = std::ranges::find(kReasons, status, [](const auto& pair) { return pair.first; });
  return found == std::end(kReasons) ? "Unknown" : found->second;
}

void HttpParser::fail(std::uint16_t status, std::string_view why) {
  state_ = State::kBroken;
  error_ = {status, std::string(why)};
}

std::size_t HttpParser::feed(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && state_ != State::kComplete && state_ != State::kBroken) {
    const std::string_view rest = bytes.substr(taken);
    if (state_ == State::kBody) {
      taken += take_body(rest);
      continue;
    }
    taken += take_line(rest);
    if (!line_done_) continue;
    if (message_.start_line.empty()) {
      take_start_line();
    } else if (line_.empty()) {
      finish_head();
    } else {
      take_header_line();
    }
    if (state_ != State::kBroken) line_.clear();
  }
  return taken;
}

/// Adds to line_ up to the end of the line; then line_done_ is set. RFC 9112 2.2 lets a lone LF end one.
std::size_t HttpParser::take_line(std::string_view bytes) {
  const std::size_t newline = bytes.find('\n');
  const std::size_t size = newline == std::string_view::npos ? bytes.size() : newline + 1;
  head_bytes_ += size;
  line_done_ = newline != std::string_view::npos;
  line_ += bytes.substr(0, line_done_ ? newline : size);
  const bool first = message_.start_line.empty();
  const bool foreign = first && kind_ == Kind::kRequest && !line_.empty() && line_[0] != '\r' &&
                       !is_http_token(std::string_view(line_).substr(0, 1));
  if (foreign) {
    fail(400, "the first byte begins no method");
  } else if (first && line_.size() > kLongestStartLine) {
    fail(414, "the first line is longer than 8 KiB");
  } else if (head_bytes_ > kLargestHead) {
    fail(431, "the header fields are larger than 64 KiB");
  }
  if (state_ == State::kBroken) line_done_ = false;
  if (line_done_ && line_.ends_with('\r')) line_.pop_back();
  return size;
}

void HttpParser::take_start_line() {
  if (line_.empty()) {  // RFC 9112 2.2: empty lines before a request mean nothing
    head_bytes_ = 0;
    return;
  }
  message_.start_line = line_;
  if (kind_ == Kind::kRequest) {
    take_request_line();
  } else {
    take_status_line();
  }
}

void HttpParser::take_request_line() {
  const std::string_view line = message_.start_line;
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return fail(400, "the first line is not METHOD TARGET VERSION");
  message_.method = line.substr(0, first);
  message_.target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  const auto minor = parse_version(version);
  if (!minor && is_version_of_http(version)) return fail(505, "the version is not HTTP/1.0 or HTTP/1.1");
  if (!minor) return fail(400, "the first line does not end in an HTTP version");
  if (!is_http_token(message_.method)) return fail(400, "the method is not a token");
  if (!is_target(message_.target)) return fail(400, "the target has blanks or controls");
  message_.minor = *minor;
}

void HttpParser::take_status_line() {
  const std::string_view line = message_.start_line;
  const auto minor = parse_version(line.substr(0, 8));
  const auto status = line.size() >= 12 ? parse_unsigned(line.substr(9, 3), 10) : std::nullopt;
  if (!minor || !status || line[8] != ' ' || *status < 100 || (line.size() > 12 && line[12] != ' '))
    return fail(502, "the first line is not VERSION STATUS REASON");
  message_.minor = *minor;
  message_.status = static_cast<std::uint16_t>(*status);
}

void HttpParser::take_header_line() {
  const std::string_view line = line_;
  if (line[0] == ' ' || line[0] == '\t') return fail(400, "a header field goes on in the next line");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return fail(400, "a header field has no colon");
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_http_token(name)) return fail(400, "a header field's name is not a token");
  if (!is_http_value(value)) return fail(400, "a header field's value has controls");
  if (message_.headers.size() == kMostHeaders) return fail(431, "there are more than 256 header fields");
  message_.headers.push_back({std::string(name), std::string(value)});
}

void HttpParser::finish_head() {
  const auto is_host = [](const Header& header) { return equal_ignoring_case(header.name, "host"); };
  const auto hosts = std::ranges::count_if(message_.headers, is_host);
  if (kind_ == Kind::kRequest && (hosts > 1 || (hosts == 0 && message_.minor == 1)))
    return fail(400, "an HTTP/1.1 request has one Host");
  state_ = State::kBody;
  head_bytes_ = 0;
  choose_framing();
  if (state_ == State::kBody && framing_ == Framing::kSized && left_ == 0) state_ = State::kComplete;
}

/// RFC 9112 6.3. What other software might read in two ways is refused.
void HttpParser::choose_framing() {
  std::optional<std::uint64_t> length;
  for (const Header& header : message_.headers) {
    if (!equal_ignoring_case(header.name, "content-length")) continue;
    const auto value = parse_unsigned(header.value, 10);
    if (!value || (length && *length != *value)) return fail(400, "the Content-Length is not one number");
    length = value;
  }
  const bool coded = message_.header("transfer-encoding") != nullptr;
  if (coded && length) return fail(400, "there are Content-Length and Transfer-Encoding");
  if (length.value_or(0) > kLargestBody) return fail(413, "the body is larger than 1 TiB");
  const bool reply = kind_ == Kind::kReply;
  const bool bodiless = message_.status / 100 == 1 || message_.status == 204 || message_.status == 304;
  if (reply && (no_body_ || bodiless)) return;
  if (coded) {
    const bool once = std::ranges::count_if(message_.headers, [](const Header& header) {
                        return equal_ignoring_case(header.name, "transfer-encoding");
                      }) == 1;
    if (!once || !equal_ignoring_case(*message_.header("transfer-encoding"), "chunked"))
      return fail(501, "the Transfer-Encoding is not chunked");
    if (message_.minor == 0) return fail(400, "HTTP/1.0 knows no Transfer-Encoding");
    framing_ = Framing::kChunkSize;
    return;
  }
  if (reply && !length) {
    framing_ = Framing::kUntilEnd;
    return;
  }
  left_ = length.value_or(0);
}

void HttpParser::keep(std::string_view bytes) {
  const std::size_t room = kMostKept - message_.body.size();
  if (bodies_ == Bodies::kDigested && bytes.size() > room) {
    if (!hasher_) hasher_.emplace().update(message_.body);
    hasher_->update(bytes);
    message_.body_digest = hex(Sha256Hasher(*hasher_).finish());
  }
  message_.body += bytes.substr(0, room);
  message_.body_bytes += bytes.size();
  if (message_.body_bytes > kLargestBody) fail(413, "the body is larger than 1 TiB");
}

std::size_t HttpParser::take_body(std::string_view bytes) {
  if (framing_ == Framing::kUntilEnd) {
    keep(bytes);
    return bytes.size();
  }
  if (framing_ == Framing::kSized || framing_ == Framing::kChunkData) {
    const std::string_view data = bytes.substr(0, left_);
    keep(data);
    left_ -= data.size();
    if (left_ > 0 || state_ == State::kBroken) return data.size();
    if (framing_ == Framing::kSized) state_ = State::kComplete;
    framing_ = Framing::kChunkEnd;
    return data.size();
  }
  const std::size_t taken = take_line(bytes);
  if (framing_ != Framing::kTrailer && state_ != State::kBroken && line_.size() > kLongestChunkLine)
    fail(400, "the line of a chunk's size is longer than 1 KiB");
  if (line_done_ && state_ != State::kBroken) body_line();
  if (line_done_) line_.clear();
  return taken;
}

/// A whole line of the chunked coding (RFC 9112 7.1).
void HttpParser::body_line() {
  switch (framing_) {
    case Framing::kChunkSize:
      return take_chunk_size();
    case Framing::kChunkEnd:
      if (!line_.empty()) return fail(400, "a chunk is longer than its size");
      framing_ = Framing::kChunkSize;
      return;
    default:
      if (line_.empty()) state_ = State::kComplete;
  }
}

void HttpParser::take_chunk_size() {
  const std::string_view line = line_;
  const auto size = parse_unsigned(trim(line.substr(0, line.find(';'))), 16);
  if (!size) return fail(400, "a chunk's size is not a hexadecimal number");
  if (*size > kLargestBody) return fail(413, "a chunk is larger than 1 TiB");
  head_bytes_ = 0;  // each chunk's line is bounded by itself, the trailers together
  left_ = *size;
  framing_ = *size == 0 ? Framing::kTrailer : Framing::kChunkData;
}

Part HttpParser::part() const {
  const bool headless = message_.start_line.empty();
  return {headless ? line_.substr(0, kLongestStartLine) : message_.start_line, message_.headers,
          message_.body, message_.body_bytes, message_.body_digest};
}

void HttpParser::end() {
  if (state_ == State::kBody && framing_ == Framing::kUntilEnd) {
    state_ = State::kComplete;
  } else if (begun() && state_ != State::kComplete && state_ != State::kBroken) {
    fail(400, "the connection ended within the message");
  }
}

}  // namespace rehearse::gate
