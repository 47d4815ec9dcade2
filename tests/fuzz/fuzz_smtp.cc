// SMTP and line scripts from a hostile client.
#include "gate/script_service.h"
#include "gate/smtp_service.h"
#include "service.h"

using namespace rehearse;
using namespace rehearse::gate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const SmtpMock kSink{"mx.example", 200};
  static const ScriptMock kScript{{{std::nullopt, "hello\r\n"},
                                   {"USER *", "331\r\n"},
                                   {"*", ""},
                                   {"**x*y", "ok\n"},
                                   {std::nullopt, "bye"}}};
  fuzz::Bytes in(data, size);
  if (in.flag()) {
    fuzz::converse(in, std::make_unique<ScriptService>(kScript));
  } else {
    fuzz::converse(in, std::make_unique<SmtpService>(kSink));
  }
  return 0;
}
