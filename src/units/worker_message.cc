#include "units/worker_message.h"

#include "base/codec.h"

namespace rehearse::units {
namespace {

constexpr std::size_t kPrefix = 4;
/// Words of one command, lines of one request.
constexpr std::uint64_t kMaxTexts = 65536;
constexpr std::uint64_t kMaxNumbers = 8;

tl::unexpected<Error> no_message() {
  return fail("what the service manager's worker says is no message", ExitCode::kDataError);
}

}  // namespace

std::string encode(const WorkerMessage& message) {
  Encoder encoder;
  encoder.raw(std::string(kPrefix, '\0'));
  encoder.number(static_cast<std::uint64_t>(message.topic));
  encoder.number(message.numbers.size());
  for (const std::uint64_t number : message.numbers) encoder.number(number);
  encoder.number(message.texts.size());
  for (const std::string& text : message.texts) encoder.text(text);
  std::string bytes = std::move(encoder.bytes());
  const std::size_t size = bytes.size() - kPrefix;
  for (std::size_t i = 0; i < kPrefix; ++i) bytes[i] = static_cast<char>(size >> (8 * i) & 0xffU);
  return bytes;
}

Result<std::optional<WorkerMessage>> take_message(std::string& input) {
  if (input.size() < kPrefix) return std::nullopt;
  std::size_t size = 0;
  for (std::size_t i = 0; i < kPrefix; ++i)
    size |= std::size_t{static_cast<unsigned char>(input[i])} << (8 * i);
  if (size > kMaxWorkerMessage) return no_message();
  if (input.size() < kPrefix + size) return std::nullopt;
  Decoder decoder(std::string_view(input).substr(kPrefix, size));
  WorkerMessage message;
  const std::uint64_t topic = decoder.number();
  if (topic < static_cast<std::uint64_t>(Topic::kProperties) ||
      topic > static_cast<std::uint64_t>(Topic::kEdited))
    return no_message();
  message.topic = static_cast<Topic>(topic);
  const std::uint64_t numbers = decoder.number();
  if (numbers > kMaxNumbers) return no_message();
  for (std::uint64_t i = 0; i < numbers; ++i) message.numbers.push_back(decoder.number());
  const std::uint64_t texts = decoder.number();
  if (texts > kMaxTexts) return no_message();
  for (std::uint64_t i = 0; i < texts && decoder.good(); ++i) message.texts.push_back(decoder.text());
  if (!decoder.good() || !decoder.done()) return no_message();
  input.erase(0, kPrefix + size);
  return message;
}

WorkerMessage to_message(const UnitRequest& request) {
  WorkerMessage message;
  message.topic = Topic::kRequest;
  message.numbers = {static_cast<std::uint64_t>(request.answered),
                     static_cast<std::uint64_t>(request.process)};
  message.texts = {request.unit, request.request, request.mode, request.detail};
  message.texts.insert(message.texts.end(), request.also.begin(), request.also.end());
  return message;
}

Result<UnitRequest> to_request(WorkerMessage message) {
  constexpr std::size_t kOwn = 4;
  if (message.topic != Topic::kRequest || message.numbers.size() != 2 || message.texts.size() < kOwn ||
      message.numbers[0] > static_cast<std::uint64_t>(Answered::kCarriedOut) ||
      message.numbers[1] > INT32_MAX)
    return no_message();
  UnitRequest request;
  request.answered = static_cast<Answered>(message.numbers[0]);
  request.process = static_cast<pid_t>(message.numbers[1]);
  request.unit = std::move(message.texts[0]);
  request.request = std::move(message.texts[1]);
  request.mode = std::move(message.texts[2]);
  request.detail = std::move(message.texts[3]);
  for (std::size_t i = kOwn; i < message.texts.size(); ++i)
    request.also.push_back(std::move(message.texts[i]));
  return request;
}

}  // namespace rehearse::units
