// A digest in words, for people who compare it by eye or read it out: the PGP word list (Juola and
// Zimmermann, 1995), one word a byte. Bytes at even places have words of two syllables, those at odd places
// of three, so that a word left out, said twice or swapped with the next is noticed.
#pragma once

#include <string>
#include <string_view>

namespace rehearse::report {

/// "talon tomorrow ...": the first eight bytes of "sha256:<hex>", the same that an approval names as 16 hex
/// digits. Fewer words of a shorter digest; "" of what is none.
std::string digest_words(std::string_view digest);

}  // namespace rehearse::report
