// Errors as values. One alias for the whole program, so that the expected library behind it can change.
//
// Ownership: an Error owns its text. Functions that fail leave their outputs untouched. Context is added once
// a layer with `with_context`, outermost first, so that the final line reads "what: why".
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "base/exit_code.h"

namespace rehearse {

/// What went wrong, as one line for a person, plus the exit code the process should end with.
struct Error {
  std::string what;  ///< names the thing and the place; no trailing newline, not yet escaped
  std::string fix;   ///< what to do about it; may be empty
  ExitCode exit = ExitCode::kFailure;  ///< documented exit code (CONVENTIONS 2)
  int err = 0;                         ///< errno behind it, 0 if none
};

template <class T = void>
using Result = tl::expected<T, Error>;

/// An error without an errno.
[[nodiscard]] tl::unexpected<Error> fail(std::string what, ExitCode exit = ExitCode::kFailure,
                                         std::string fix = {});

/// An error from a system call: `what` gets ": <strerror>" appended. ENOSYS with nothing more particular to
/// say is the kernel's fault: kUnavailable.
[[nodiscard]] tl::unexpected<Error> fail_errno(int err, std::string what, ExitCode exit = ExitCode::kFailure,
                                               std::string fix = {});

/// As fail_errno, for a `what` that says already why.
[[nodiscard]] tl::unexpected<Error> fail_for(int err, std::string what, ExitCode exit = ExitCode::kFailure,
                                             std::string fix = {});

/// The same error with "context: " before it.
[[nodiscard]] tl::unexpected<Error> with_context(Error error, std::string_view context);

}  // namespace rehearse

// NOLINTBEGIN(bugprone-macro-parentheses): a declaration is one of the arguments
#define RH_CONCAT_INNER(a, b) a##b
#define RH_CONCAT(a, b) RH_CONCAT_INNER(a, b)

/// RH_TRY(auto value, expression): declares `value` from a Result, or returns its error.
#define RH_TRY(declaration, expression) RH_TRY_IMPL(declaration, expression, RH_CONCAT(rh_result_, __LINE__))
#define RH_TRY_IMPL(declaration, expression, temporary)                     \
  auto temporary = (expression);                                            \
  if (!temporary) return tl::make_unexpected(std::move(temporary).error()); \
  declaration = std::move(*temporary)

/// RH_CHECK(expression): returns the error of a Result<void>.
#define RH_CHECK(expression) RH_CHECK_IMPL(expression, RH_CONCAT(rh_result_, __LINE__))
#define RH_CHECK_IMPL(expression, temporary) \
  if (auto temporary = (expression); !temporary) return tl::make_unexpected(std::move(temporary).error())
// NOLINTEND(bugprone-macro-parentheses)
