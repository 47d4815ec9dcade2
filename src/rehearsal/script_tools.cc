#include "rehearsal/script_tools.h"

#include <fnmatch.h>

#include <algorithm>
#include <string>

namespace rehearse {
namespace {

/// Patterns of fnmatch(3).
constexpr const char* kTools[] = {
    "sh",  "dash", "bash", "*ksh*",   "zsh*",  "fish",  "busybox", "toybox",   "test",     "[",     "cat",
    "tac", "grep", "sed",  "*awk*",   "cut",   "head",  "tail",    "tr",       "sort",     "wc",    "dd",
    "cmp", "diff", "od",   "xxd",     "ls",    "find",  "stat",    "readlink", "realpath", "file",  "tee",
    "rg",  "less", "more", "python*", "perl*", "ruby*", "php*",    "lua*",     "tclsh*",   "egrep", "fgrep",
};

}  // namespace

bool is_script_tool(std::string_view program) {
  const std::string name(program.substr(program.rfind('/') + 1));
  return std::ranges::any_of(kTools, [&](const char* tool) { return ::fnmatch(tool, name.c_str(), 0) == 0; });
}

}  // namespace rehearse
