#include "base/star_pattern.h"

#include <vector>

namespace rehearse {
namespace {

/// The places in the pattern where a match of the text so far may go on, each once, in no order.
class Places {
 public:
  explicit Places(std::string_view pattern) : pattern_(pattern), seen_(pattern.size() + 1, 0) {}

  /// Before each character; nothing is seen yet.
  void begin() {
    places_.clear();
    ++round_;
  }
  /// `place`, and what follows the stars there, since a star may take nothing.
  void add(std::size_t place) {
    for (; seen_[place] != round_; ++place) {
      seen_[place] = round_;
      places_.push_back(place);
      if (place == pattern_.size() || pattern_[place] != '*') return;
    }
  }
  [[nodiscard]] const std::vector<std::size_t>& all() const { return places_; }
  [[nodiscard]] bool at_end() const { return seen_[pattern_.size()] == round_; }

 private:
  std::string_view pattern_;
  std::vector<std::size_t> seen_;  ///< the last round in which the place was added
  std::vector<std::size_t> places_;
  std::size_t round_ = 0;
};

bool crosses(std::string_view pattern, std::size_t place, Star star) {
  const bool twin = pattern.substr(place).starts_with("**") || (place > 0 && pattern[place - 1] == '*');
  return star == Star::kTakesAll || twin;
}

}  // namespace

bool star_matches(std::string_view pattern, std::string_view text, Star star) {
  Places now(pattern);
  Places next(pattern);
  now.begin();
  now.add(0);
  for (const char c : text) {
    next.begin();
    for (const std::size_t place : now.all()) {
      if (place == pattern.size()) continue;
      if (pattern[place] == '*') {
        if (c != '/' || crosses(pattern, place, star)) next.add(place);
      } else if (pattern[place] == c) {
        next.add(place + 1);
      }
    }
    if (next.all().empty()) return false;
    std::swap(now, next);
  }
  return now.at_end();
}

}  // namespace rehearse
