#include "base/result.h"

#include <cstring>

namespace rehearse {

tl::unexpected<Error> fail(std::string what, ExitCode exit, std::string fix) {
  return tl::make_unexpected(Error{std::move(what), std::move(fix), exit, 0});
}

tl::unexpected<Error> fail_errno(int err, std::string what, ExitCode exit, std::string fix) {
  what += ": ";
  what += strerrordesc_np(err) != nullptr ? strerrordesc_np(err) : "unknown error";
  return tl::make_unexpected(Error{std::move(what), std::move(fix), exit, err});
}

tl::unexpected<Error> with_context(Error error, std::string_view context) {
  error.what.insert(0, ": ");
  error.what.insert(0, context);
  return tl::make_unexpected(std::move(error));
}

}  // namespace rehearse
