#include "trace/record.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/secret_words.h"

namespace rehearse::trace {

std::optional<Record> Record::at(std::string_view bytes) {
  if (bytes.size() < sizeof(struct rh_head)) return std::nullopt;
  const auto& head = *reinterpret_cast<const struct rh_head*>(bytes.data());
  if (head.size < sizeof head || head.size > RH_RECORD_MAX || head.size % 8 != 0 || head.size > bytes.size())
    return std::nullopt;
  if (head.kind == RH_EXIT || head.kind == RH_ENTER) {
    if (head.args > 6 || head.size < RH_CALL_BYTES(std::uint32_t{head.args})) return std::nullopt;
  }
  return Record(head);
}

std::string_view module_name(const Record& record) {
  const auto* module = record.head().kind == RH_MODULE ? record.as<struct rh_module>() : nullptr;
  if (module == nullptr) return {};
  return {module->name, ::strnlen(module->name, sizeof module->name)};
}

std::vector<std::string> words_of(std::string_view list, bool redacted) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find('\0', at), list.size());
    all.emplace_back(list.substr(at, end - at));
    if (redacted) shorten_masks(all.back());
    at = end + 1;
  }
  return all;
}

std::string path_of(std::string_view names) {
  std::vector<std::string_view> parts;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find('\0'), names.size());
    parts.push_back(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  std::string path;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) (path += '/') += *part;
  return path.empty() ? "/" : path;
}

}  // namespace rehearse::trace
