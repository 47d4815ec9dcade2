// The one place where bytes that came out of a sandbox become text for a person or a document.
//
// Everything that an action can choose (names, argv, output, xattr values) is hostile to terminals, parsers
// and eyes. All functions are pure, total and linear; results are valid UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rehearse {

/// True if `bytes` is well-formed UTF-8 (no surrogates, no overlong forms; RFC 3629).
bool is_utf8(std::string_view bytes);

/// Code points that a terminal obeys, an eye does not see, or that turn the text around: controls, format
/// characters, line and paragraph separators, fillers, variation selectors, private use (Unicode 15).
bool is_deceptive(std::uint32_t code);

/// For terminals, logs and Markdown: C0, C1, DEL, bidi controls, zero-width and tag characters, line and
/// paragraph separators become `\u{XXXX}`; bytes that are not UTF-8 become `\xHH`; a backslash becomes `\\`.
/// One line in, one line out. `limit` > 0 cuts after that many output bytes at a character and appends "…(+N
/// bytes)".
std::string escape_text(std::string_view bytes, std::size_t limit = 0);

/// escape_text, quoted as a POSIX shell word where needed: the printed command can be pasted.
std::string shell_quote(std::string_view word);

/// Bytes to well-formed UTF-8 for a JSON string: each byte that is not UTF-8 becomes U+FFFD. Control
/// characters are left to the JSON writer. Pair it with base64 of the original where is_utf8 is false.
std::string to_utf8_lossy(std::string_view bytes);

/// RFC 4648 base64 with padding, and its inverse (empty on malformed or non-canonical input).
std::string base64(std::string_view bytes);
std::string from_base64(std::string_view text);

/// Lower-case hexadecimal.
std::string hex(std::string_view bytes);

/// Octal escapes of mountinfo (proc(5)): `\040` and friends back to bytes.
std::string unescape_mountinfo(std::string_view field);

}  // namespace rehearse
