// Would a server take what its client says first for a request of HTTP/1? Servers are lenient, each in
// another way (blanks, controls, a version that is missing), so whatever one of them might take is to be read
// as a request or not to be let through.
//
// What tells other protocols from it: a first line that begins with no method; one without a version that is
// not aimed at a path or a URL (`GET key` of redis), unless a header or an empty line follows; one without
// either that no method of HTTP begins. HTTP/2 is known by its preface and is another protocol here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rehearse::gate {

/// Holds little more than kLongestStartLine (http_message.h) and one piece. Not thread safe.
class RequestGuess {
 public:
  enum class State : std::uint8_t {
    kUnclear,  ///< may become a request with the next bytes
    kWatched,  ///< the same, but it does not look like one
    kHttp,     ///< text() has a whole line with a version
    kOther,    ///< another protocol
    kBroken,   ///< a server might take it for a request, and it cannot be read as one
  };

  /// The next bytes, in pieces of any size; ignored once the state is another than the first two.
  State feed(std::string_view bytes);
  /// The client sends no more.
  State end();
  [[nodiscard]] State state() const { return state_; }
  /// All that has come; of kHttp only.
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  enum class Phase : std::uint8_t {
    kFirstLine,
    kLongLine,  ///< longer than a request's may be; text_ is its end
    kNextLine,  ///< the first was a method of HTTP and a word, without a version; text_ is what follows
  };

  State judge();
  State judge_line(std::string_view line, std::size_t next);
  State judge_long_line();
  State judge_next_line();
  State after_line(bool method_of_http, std::size_t next);

  State state_ = State::kUnclear;
  Phase phase_ = Phase::kFirstLine;
  bool method_of_http_ = false;  ///< of a long line
  std::size_t long_line_ = 0;    ///< bytes of it that are no longer in text_
  bool may_be_aimed_ = false;    ///< it has begun as a line that some server serves
  std::string text_;
};

}  // namespace rehearse::gate
