// Takes secrets out of argument lists (WordMask) and of mount options (`password=VALUE`) before anything is
// kept. What is taken out is overwritten with asterisks, byte for byte.
//
// A name is secret if it contains password, passwd, passphrase, secret, token, apikey, api-key, api_key,
// private-key, private_key, credential or authorization, and does not end like a path's name (file, path,
// dir).
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/secret_words.h"
#include "bpf/events.h"

namespace rehearse::trace {

class Redactor {
 public:
  /// Overwrites what is secret in the pieces of argument lists (RH_ARGV), in the order of time, and in those
  /// that were not executed (RH_WORDS), and marks where it did; and in the options of mount(2). `head` is the
  /// whole record, writable.
  void redact(struct rh_head& head);

 private:
  std::unordered_map<std::uint32_t, WordMask> lists_;  ///< by thread: a word may go on in the next piece
};

}  // namespace rehearse::trace
