// Numbers in the files that are written, read by code that the product does not have.
#pragma once

#include <cstdint>
#include <string>

namespace rehearse::exporting::testing {

inline std::uint32_t le32(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value |= std::uint32_t{static_cast<unsigned char>(bytes.at(at + i))} << (8 * i);
  return value;
}

}  // namespace rehearse::exporting::testing
