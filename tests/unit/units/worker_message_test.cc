#include "units/worker_message.h"

#include <catch2/catch.hpp>

using namespace rehearse;
using namespace rehearse::units;

TEST_CASE("a message is taken when it is whole") {
  const WorkerMessage sent{
      Topic::kEdit, {7, std::uint64_t{1} << 63U}, {"enable", "", std::string("a\0b", 3)}};
  const std::string bytes = encode(sent);
  std::string input;
  for (const char c : bytes) {
    const auto early = take_message(input);
    REQUIRE(early);
    CHECK_FALSE(early->has_value());
    input += c;
  }
  input += bytes.substr(0, 3);
  const auto taken = take_message(input);
  REQUIRE((taken && *taken));
  CHECK((*taken)->topic == sent.topic);
  CHECK((*taken)->numbers == sent.numbers);
  CHECK((*taken)->texts == sent.texts);
  CHECK(input == bytes.substr(0, 3));
}

TEST_CASE("what is no message is refused") {
  std::string bytes = encode({Topic::kValue, {1}, {"text"}});
  const auto refused = [](std::string input) { return !take_message(input); };
  CHECK(refused(std::string("\xff\xff\xff\x7f", 4)));
  std::string other = bytes;
  other[4] = 0;
  CHECK(refused(other));
  other[4] = 99;
  CHECK(refused(other));
  other = bytes;
  other[0] = static_cast<char>(other[0] + 1);  // one byte more than the texts take
  CHECK(refused(other + 'x'));
  other = bytes;
  other[0] = static_cast<char>(other[0] - 1);
  CHECK(refused(other));
  CHECK_FALSE(refused(bytes));
}

TEST_CASE("a request survives the way") {
  UnitRequest request;
  request.unit = "web.service";
  request.request = "start";
  request.mode = "replace";
  request.answered = Answered::kRefused;
  request.detail = "no";
  request.also = {"stop app.service", ""};
  request.process = 4242;
  const auto same = to_request(to_message(request));
  REQUIRE(same);
  CHECK(same->unit == request.unit);
  CHECK(same->request == request.request);
  CHECK(same->mode == request.mode);
  CHECK(same->answered == request.answered);
  CHECK(same->detail == request.detail);
  CHECK(same->also == request.also);
  CHECK(same->process == request.process);

  WorkerMessage wrong = to_message(request);
  wrong.numbers[0] = 3;
  CHECK_FALSE(to_request(wrong));
  wrong = to_message(request);
  wrong.texts.resize(3);
  CHECK_FALSE(to_request(wrong));
}
