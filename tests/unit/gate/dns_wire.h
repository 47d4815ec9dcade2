// DNS messages by hand: what the tests send, and a reader of responses that shares no code with the product.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::gate::testing {

inline std::string be16(unsigned value) {
  return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)};
}

/// "www.example.com" with lengths, no escapes.
inline std::string wire_name(std::string_view text) {
  std::string wire;
  while (!text.empty()) {
    const std::string_view label = text.substr(0, text.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    text.remove_prefix(std::min(text.size(), label.size() + 1));
  }
  return wire + '\0';
}

inline std::string edns(unsigned udp_size, unsigned flags = 0, unsigned version = 0,
                        std::string_view options = {}) {
  return std::string(1, '\0') + be16(41) + be16(udp_size) + be16(version) + be16(flags) +
         be16(static_cast<unsigned>(options.size())) + std::string(options);
}

inline std::string query(std::string_view name, unsigned type, std::string_view additional = {},
                         unsigned query_class = 1, unsigned flags = 0x0100) {
  return be16(0x1234) + be16(flags) + be16(1) + be16(0) + be16(0) + be16(additional.empty() ? 0 : 1) +
         wire_name(name) + be16(type) + be16(query_class) + std::string(additional);
}

struct Record {
  std::string owner;
  unsigned type = 0;
  unsigned record_class = 0;
  unsigned ttl = 0;
  std::string data;
};
struct Response {
  unsigned id = 0;
  unsigned flags = 0;
  std::string question;  ///< name
  std::vector<Record> answers;
  std::vector<Record> authority;
  std::vector<Record> additional;

  [[nodiscard]] unsigned rcode() const { return flags & 0xfU; }
  [[nodiscard]] bool truncated() const { return (flags & 0x0200U) != 0; }
};

class ResponseReader {
 public:
  explicit ResponseReader(std::string_view message) : message_(message) {}

  /// Throws for anything that is not a well-formed response.
  Response read() {
    Response response;
    response.id = number(2);
    response.flags = number(2);
    if ((response.flags & 0x8000U) == 0) throw std::runtime_error("not a response");
    const unsigned questions = number(2);
    const unsigned answers = number(2);
    const unsigned authority = number(2);
    const unsigned additional = number(2);
    if (questions > 1) throw std::runtime_error("questions");
    if (questions == 1) {
      response.question = name();
      number(4);
    }
    response.answers = records(answers);
    response.authority = records(authority);
    response.additional = records(additional);
    if (at_ != message_.size()) throw std::runtime_error("bytes at the end");
    return response;
  }

 private:
  unsigned number(std::size_t size) {
    unsigned value = 0;
    for (const char c : take(size)) value = value << 8U | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view take(std::size_t size) {
    if (message_.size() - at_ < size) throw std::runtime_error("cut");
    at_ += size;
    return message_.substr(at_ - size, size);
  }
  std::string name() {
    std::string text;
    while (const unsigned size = number(1)) {
      if (size >= 0xc0U) {
        const std::size_t back = at_ + 1;
        const std::size_t to = (size & 0x3fU) << 8U | number(1);
        if (to + 1 >= back) throw std::runtime_error("a pointer forward");
        at_ = to;
        text += (text.empty() ? "" : ".") + name();
        at_ = back;
        return text;
      }
      if (size > 63) throw std::runtime_error("label");
      if (!text.empty()) text += '.';
      text += take(size);
    }
    return text;
  }
  std::vector<Record> records(unsigned count) {
    std::vector<Record> records;
    for (; count > 0; --count) {
      Record record;
      record.owner = name();
      record.type = number(2);
      record.record_class = number(2);
      record.ttl = number(4);
      record.data = take(number(2));
      records.push_back(record);
    }
    return records;
  }

  std::string_view message_;
  std::size_t at_ = 0;
};

inline Response read_response(std::string_view message) {
  return ResponseReader(message).read();
}

}  // namespace rehearse::gate::testing
