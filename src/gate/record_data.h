// Mocked DNS records as a person writes them in a file: checked, with an example for whoever is mistaken.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace rehearse::gate {

/// Of the type: the name does not exist, and has no data.
inline constexpr std::string_view kNoSuchName = "NXDOMAIN";

/// The type as DnsMock has it, kNoSuchName included.
Result<std::string> parse_dns_type(std::string_view text);
/// The data as DnsMock has it: the text itself, if parse_mock_data() takes it. `type` is one of those with
/// data.
Result<std::string> parse_dns_data(std::string_view type, std::string_view text);
/// Something that parses.
std::string_view dns_data_example(std::string_view type);

}  // namespace rehearse::gate
