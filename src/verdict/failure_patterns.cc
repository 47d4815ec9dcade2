#include "verdict/failure_patterns.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include "base/toml_file.h"

extern "C" const char rehearse_failure_patterns[];
extern "C" const char rehearse_failure_patterns_end[];

namespace rehearse::verdict {
namespace {

constexpr std::string_view kSchema = "rehearse.failures/1";
constexpr std::size_t kMostPatterns = 1000;

/// Output is bytes of any kind: each is a character.
re2::RE2::Options byte_options() {
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  return options;
}

Result<FailurePattern> read_pattern(const TomlTable& table) {
  RH_CHECK(table.allow_only({"kind", "needle", "pattern", "subject", "strong", "needs_call", "fix"}));
  FailurePattern pattern;
  RH_TRY(const auto kind, table.text("kind"));
  const auto known = kind ? parse_failure_kind(*kind) : std::nullopt;
  if (!kind) return table.error("\"kind\" is missing", "write kind = \"missing-file\"");
  if (!known)
    return table.error_at("kind", fmt::format("\"{}\" is not known", *kind), "see docs/failures.md");
  pattern.kind = *known;
  RH_TRY(const auto needle, table.text("needle"));
  if (!needle || needle->empty())
    return table.error("\"needle\" is missing or empty", "write a text that every such line has in it");
  pattern.needle = *needle;
  RH_TRY(const auto expression, table.text("pattern"));
  pattern.pattern = expression.value_or("");
  if (expression) {
    const re2::RE2 compiled(*expression, byte_options());
    if (!compiled.ok())
      return table.error_at("pattern", "is no regular expression: " + compiled.error(), "see RE2's syntax");
  }
  RH_TRY(const auto subject, table.text("subject"));
  pattern.subject = subject.value_or("");
  RH_TRY(const auto strong, table.boolean("strong"));
  pattern.strong = strong.value_or(false);
  RH_TRY(const auto needs_call, table.boolean("needs_call"));
  pattern.needs_call = needs_call.value_or(false);
  RH_TRY(const auto fix, table.text("fix"));
  pattern.fix = fix.value_or("");
  return pattern;
}

}  // namespace

FailurePatterns::FailurePatterns() = default;
FailurePatterns::FailurePatterns(FailurePatterns&&) noexcept = default;
FailurePatterns& FailurePatterns::operator=(FailurePatterns&&) noexcept = default;
FailurePatterns::~FailurePatterns() = default;

Result<FailurePatterns> FailurePatterns::parse(std::string_view text, const std::string& path) {
  RH_TRY(const auto file, TomlFile::parse(text, path));
  const TomlTable root = file.root();
  RH_CHECK(root.allow_only({"schema", "failure"}));
  RH_TRY(const auto schema, root.text("schema"));
  if (!schema || *schema != kSchema)
    return root.error("\"schema\" is missing or not known",
                      fmt::format("write schema = \"{}\" in the first line", kSchema));
  RH_TRY(const auto tables, root.tables("failure"));
  if (tables.size() > kMostPatterns)
    return root.error(fmt::format("more than {} patterns", kMostPatterns), "leave some out");
  FailurePatterns patterns;
  for (const TomlTable& table : tables) {
    RH_TRY(auto pattern, read_pattern(table));
    patterns.patterns_.push_back(std::move(pattern));
  }
  patterns.compiled_.resize(patterns.patterns_.size());
  return patterns;
}

const FailurePatterns& FailurePatterns::shipped() {
  static const FailurePatterns kShipped = [] {
    const std::string_view text(
        rehearse_failure_patterns,
        static_cast<std::size_t>(rehearse_failure_patterns_end - rehearse_failure_patterns));
    auto parsed = parse(text, "packaging/failures/patterns.toml");
    return parsed ? std::move(*parsed) : FailurePatterns();  // a unit test parses it
  }();
  return kShipped;
}

const re2::RE2* FailurePatterns::compiled(std::size_t i) const {
  if (patterns_[i].pattern.empty()) return nullptr;
  auto& regex = compiled_[i];
  if (!regex) regex = std::make_unique<re2::RE2>(patterns_[i].pattern, byte_options());
  return regex.get();
}

std::vector<SaidFailure> FailurePatterns::find(std::string_view output) const {
  if (output.size() > kMostScanned) output.remove_prefix(output.size() - kMostScanned);
  std::vector<std::size_t> near;  // patterns that some line may match
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    if (output.find(patterns_[i].needle) != std::string_view::npos) near.push_back(i);
  }
  std::vector<SaidFailure> found;
  while (!near.empty() && !output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    const std::string_view line = output.substr(0, std::min(end, kLongestLine));
    output.remove_prefix(std::min(end + 1, output.size()));
    for (const std::size_t i : near) {
      const FailurePattern& pattern = patterns_[i];
      if (line.find(pattern.needle) == std::string_view::npos) continue;
      re2::StringPiece subject;
      if (const re2::RE2* regex = compiled(i)) {
        const re2::StringPiece text(line.data(), line.size());
        const bool matches = regex->NumberOfCapturingGroups() > 0
                                 ? re2::RE2::PartialMatch(text, *regex, &subject)
                                 : re2::RE2::PartialMatch(text, *regex);
        if (!matches) continue;
      }
      if (found.size() == kMostSaid) found.erase(found.begin());
      found.push_back(
          {&pattern, std::string(line.substr(0, 512)), std::string(subject.data(), subject.size())});
      break;
    }
  }
  return found;
}

}  // namespace rehearse::verdict
