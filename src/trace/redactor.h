// Takes secrets out of argument lists (WordMask) and of mount options (`password=VALUE`) before anything is
// kept. What is taken out is overwritten with asterisks, byte for byte.
//
// What is secret: base/secret_words.h.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/secret_words.h"
#include "bpf/events.h"

namespace rehearse::trace {

class Redactor {
 public:
  /// Overwrites what is secret in the pieces of argument lists (RH_ARGV), in the order of time, and in those
  /// that were not executed (RH_WORDS), and marks where it did; passwords of URLs in the names of programs
  /// and of what is asked for (stat(2)), and in the options of mount(2). `head` is the whole record,
  /// writable.
  void redact(struct rh_head& head);

 private:
  std::unordered_map<std::uint32_t, WordMask> lists_;  ///< by thread: a word may go on in the next piece
};

}  // namespace rehearse::trace
