#include "trace/redactor.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "base/secret_words.h"
#include "syscalls/nr_set.h"
#include "trace/record.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

/// The values of secret options in `a=b,password=c`.
void mask_options(char* options, std::size_t size) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= size; ++i) {
    if (i < size && options[i] != ',') continue;
    const std::string_view option(options + begin, i - begin);
    const std::size_t sign = option.find('=');
    if (sign != std::string_view::npos) {
      const std::string name = ascii_lower(option.substr(0, sign));
      if (name == "pass" || names_secret(name)) std::fill(options + begin + sign + 1, options + i, '*');
    }
    begin = i + 1;
  }
}

void mask_mount(struct rh_head& head) {
  constexpr std::uint8_t kData = 4;
  const auto record = Record::at({reinterpret_cast<const char*>(&head), head.size});
  if (!record) return;
  record->each_attachment([](const Attachment& attachment) {
    // The record is the caller's, who let us write in it.
    if (attachment.kind == RH_TEXT && attachment.arg == kData)
      mask_options(const_cast<char*>(attachment.bytes.data()), attachment.bytes.size());
  });
}

/// Calls whose name may be a word that is no path: what is to be executed (it stands in the list of words,
/// too), and what shells, git and others ask for to find that out.
bool may_name_url(std::uint32_t nr) {
  static constexpr syscalls::NrSet kCalls(Nr::execve, Nr::execveat, Nr::stat, Nr::lstat, Nr::newfstatat,
                                          Nr::statx, Nr::access, Nr::faccessat, Nr::faccessat2, Nr::readlink,
                                          Nr::readlinkat);
  return kCalls.contains(nr);
}

void mask_name(struct rh_head& head) {
  const auto record = Record::at({reinterpret_cast<const char*>(&head), head.size});
  if (!record) return;
  record->each_attachment([](const Attachment& attachment) {
    if (attachment.kind == RH_TEXT)
      mask_urls(const_cast<char*>(attachment.bytes.data()), attachment.bytes.size());
  });
}

/// Of a program that was not executed.
void mask_words(struct rh_head& head) {
  const auto record = Record::at({reinterpret_cast<const char*>(&head), head.size});
  if (!record) return;
  record->each_attachment([](const Attachment& attachment) {
    if (attachment.kind != RH_WORDS) return;
    auto* bytes = const_cast<char*>(attachment.bytes.data());
    auto* whole = reinterpret_cast<struct rh_attachment*>(bytes - sizeof(struct rh_attachment));
    if (WordMask().take(bytes, attachment.bytes.size())) whole->flags |= RH_REDACTED;
  });
}

}  // namespace

void Redactor::redact(struct rh_head& head) {
  const bool call = head.kind == RH_ENTER || head.kind == RH_EXIT || head.kind == RH_LATE;
  if (call && head.abi == 0 && head.nr == Nr::mount) mask_mount(head);
  if (call && head.abi == 0 && may_name_url(head.nr)) mask_name(head);
  if (head.kind == RH_EXIT && (head.nr == Nr::execve || head.nr == Nr::execveat)) mask_words(head);
  if (head.kind != RH_ARGV || head.size < sizeof(struct rh_chunk)) return;
  auto& chunk = reinterpret_cast<struct rh_chunk&>(head);
  if (head.nr == 0) lists_.erase(head.tid);  // the beginning of a list
  if (chunk.flags != 0 || chunk.length > head.size - sizeof chunk) return;
  if (lists_[head.tid].take(reinterpret_cast<char*>(&chunk + 1), chunk.length)) chunk.flags |= RH_REDACTED;
  // A list that ends here leaves nothing behind.
  if (chunk.length < RH_CHUNK_BYTES) lists_.erase(head.tid);
}

}  // namespace rehearse::trace
