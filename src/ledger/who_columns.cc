#include "ledger/who_columns.h"

#include <cstdint>

namespace rehearse::ledger {

void bind_who(Statement& statement, int first, const report::Requester& who) {
  statement.bind(first, std::int64_t{who.uid});
  if (who.loginuid)
    statement.bind(first + 1, std::int64_t{*who.loginuid});
  else
    statement.bind_null(first + 1);
  if (who.sudo_uid)
    statement.bind(first + 2, std::int64_t{*who.sudo_uid});
  else
    statement.bind_null(first + 2);
  if (who.tty)
    statement.bind_bytes(first + 3, *who.tty);
  else
    statement.bind_null(first + 3);
  if (who.unit)
    statement.bind_bytes(first + 4, *who.unit);
  else
    statement.bind_null(first + 4);
}

report::Requester read_who(const Statement& row, int first) {
  report::Requester who;
  who.uid = static_cast<std::uint32_t>(row.integer(first));
  if (!row.is_null(first + 1)) who.loginuid = static_cast<std::uint32_t>(row.integer(first + 1));
  if (!row.is_null(first + 2)) who.sudo_uid = static_cast<std::uint32_t>(row.integer(first + 2));
  if (!row.is_null(first + 3)) who.tty = row.text(first + 3);
  if (!row.is_null(first + 4)) who.unit = row.text(first + 4);
  return who;
}

}  // namespace rehearse::ledger
