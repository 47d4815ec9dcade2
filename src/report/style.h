// Colour for terminals. Never carries meaning alone: every coloured thing is also a word or a sign.
#pragma once

#include <string>
#include <string_view>

#include "effects/change.h"
#include "verdict/finding.h"

namespace rehearse::report {

class Style {
 public:
  explicit Style(bool color) : color_(color) {}
  [[nodiscard]] std::string bold(std::string_view text) const { return paint("1", text); }
  [[nodiscard]] std::string dim(std::string_view text) const { return paint("2", text); }
  [[nodiscard]] std::string red(std::string_view text) const { return paint("31", text); }
  [[nodiscard]] std::string green(std::string_view text) const { return paint("32", text); }
  [[nodiscard]] std::string yellow(std::string_view text) const { return paint("33", text); }
  [[nodiscard]] std::string cyan(std::string_view text) const { return paint("36", text); }
  /// The level's word, upper case, in its colour.
  [[nodiscard]] std::string level(verdict::Level level, bool bar = false) const;
  [[nodiscard]] std::string mark(effects::ChangeKind kind) const;

 private:
  [[nodiscard]] std::string paint(const char* sgr, std::string_view text) const;
  bool color_;
};

}  // namespace rehearse::report
