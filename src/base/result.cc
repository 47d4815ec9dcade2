#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace rehearse {

tl::unexpected<Error> fail(std::string what, ExitCode exit, std::string fix) {
  return tl::make_unexpected(Error{std::move(what), std::move(fix), exit, 0});
}

tl::unexpected<Error> fail_errno(int err, std::string what, ExitCode exit, std::string fix) {
  what += ": ";
  what += strerrordesc_np(err) != nullptr ? strerrordesc_np(err) : "unknown error";
  return fail_for(err, std::move(what), exit, std::move(fix));
}

tl::unexpected<Error> fail_for(int err, std::string what, ExitCode exit, std::string fix) {
  if (err == ENOSYS && exit == ExitCode::kFailure) {
    exit = ExitCode::kUnavailable;
    fix = "this kernel lacks a system call that rehearse needs: Linux 6.1 or newer has them all";
  }
  return tl::make_unexpected(Error{std::move(what), std::move(fix), exit, err});
}

tl::unexpected<Error> with_context(Error error, std::string_view context) {
  error.what.insert(0, ": ");
  error.what.insert(0, context);
  return tl::make_unexpected(std::move(error));
}

}  // namespace rehearse
