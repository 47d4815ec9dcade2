// What the file of exchanges lacks, for the report.
#pragma once

#include <vector>

#include "gate/exchange_file.h"
#include "verdict/finding.h"

namespace rehearse {

/// Exchanges that there was no room for, and recordings of passed connections that no replay can answer from.
std::vector<verdict::Gap> exchange_gaps(const gate::ExchangeFile& file);

}  // namespace rehearse
