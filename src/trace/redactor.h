// Takes secrets out of argument lists and of mount options before anything is kept: `--password=VALUE`,
// `--token VALUE`, `PASSWORD=VALUE`, `Authorization: VALUE`, `scheme://user:VALUE@host`, `-o password=VALUE`.
// What is taken out is overwritten with asterisks, byte for byte.
//
// A name is secret if it contains password, passwd, passphrase, secret, token, apikey, api-key, api_key,
// private-key, private_key, credential or authorization, and does not end like a path's name (file, path,
// dir).
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "bpf/events.h"

namespace rehearse::trace {

class Redactor {
 public:
  /// Overwrites what is secret in the pieces of argument lists (RH_ARGV), in the order of time, and marks a
  /// piece in which it did; and in the options of mount(2). `head` is the whole record, writable.
  void redact(struct rh_head& head);

 private:
  /// Where the list of one thread stands: a word may go on in the next piece.
  struct State {
    std::string word;      ///< its beginning, in lower case
    bool masking = false;  ///< the rest of this word is secret
  };
  static bool take(State& state, char* bytes, std::size_t size);

  std::unordered_map<std::uint32_t, State> states_;
};

}  // namespace rehearse::trace
