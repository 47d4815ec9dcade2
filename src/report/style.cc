#include "report/style.h"

#include "report/change_text.h"

namespace rehearse::report {

std::string Style::paint(const char* sgr, std::string_view text) const {
  if (!color_) return std::string(text);
  std::string painted = "\x1b[";
  painted += sgr;
  painted += 'm';
  painted += text;
  painted += "\x1b[0m";
  return painted;
}

std::string Style::level(verdict::Level level, bool bar) const {
  switch (level) {
    case verdict::Level::kGreen:
      return paint(bar ? "1;30;42" : "1;32", "GREEN");
    case verdict::Level::kYellow:
      return paint(bar ? "1;30;43" : "1;33", "YELLOW");
    case verdict::Level::kInconclusive:
      return paint(bar ? "1;30;45" : "1;35", "INCONCLUSIVE");
    case verdict::Level::kRed:
      return paint(bar ? "1;37;41" : "1;31", "RED");
  }
  return "?";
}

std::string Style::mark(effects::ChangeKind kind) const {
  const char* sign = report::mark(kind);
  switch (kind) {
    case effects::ChangeKind::kCreated:
      return green(sign);
    case effects::ChangeKind::kDeleted:
    case effects::ChangeKind::kType:
      return red(sign);
    case effects::ChangeKind::kModified:
      return yellow(sign);
    case effects::ChangeKind::kRenamed:
    case effects::ChangeKind::kMetadata:
      return cyan(sign);
    case effects::ChangeKind::kIdentical:
      return dim(sign);
  }
  return sign;
}

}  // namespace rehearse::report
