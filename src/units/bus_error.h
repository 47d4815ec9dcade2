// Errors as the service manager gives them to its clients: their names decide the exit status of systemctl.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace rehearse::units {

/// bus-common-errors.h of systemd 252, and the D-Bus specification's own.
namespace bus_error {
inline constexpr std::string_view kNoSuchUnit = "org.freedesktop.systemd1.NoSuchUnit";
inline constexpr std::string_view kNoUnitForPid = "org.freedesktop.systemd1.NoUnitForPID";
inline constexpr std::string_view kUnitExists = "org.freedesktop.systemd1.UnitExists";
inline constexpr std::string_view kUnitMasked = "org.freedesktop.systemd1.UnitMasked";
inline constexpr std::string_view kUnitGenerated = "org.freedesktop.systemd1.UnitGenerated";
inline constexpr std::string_view kUnitLinked = "org.freedesktop.systemd1.UnitLinked";
inline constexpr std::string_view kBadUnitSetting = "org.freedesktop.systemd1.BadUnitSetting";
inline constexpr std::string_view kLoadFailed = "org.freedesktop.systemd1.LoadFailed";
inline constexpr std::string_view kNoSuchJob = "org.freedesktop.systemd1.NoSuchJob";
inline constexpr std::string_view kNoSuchProcess = "org.freedesktop.systemd1.NoSuchProcess";
inline constexpr std::string_view kOnlyByDependency = "org.freedesktop.systemd1.OnlyByDependency";
inline constexpr std::string_view kNoIsolation = "org.freedesktop.systemd1.NoIsolation";
inline constexpr std::string_view kNotApplicable = "org.freedesktop.systemd1.JobTypeNotApplicable";
inline constexpr std::string_view kInvalidArgs = "org.freedesktop.DBus.Error.InvalidArgs";
inline constexpr std::string_view kUnknownMethod = "org.freedesktop.DBus.Error.UnknownMethod";
inline constexpr std::string_view kUnknownObject = "org.freedesktop.DBus.Error.UnknownObject";
inline constexpr std::string_view kUnknownInterface = "org.freedesktop.DBus.Error.UnknownInterface";
inline constexpr std::string_view kUnknownProperty = "org.freedesktop.DBus.Error.UnknownProperty";
inline constexpr std::string_view kPropertyReadOnly = "org.freedesktop.DBus.Error.PropertyReadOnly";
inline constexpr std::string_view kNotSupported = "org.freedesktop.DBus.Error.NotSupported";
inline constexpr std::string_view kLimitsExceeded = "org.freedesktop.DBus.Error.LimitsExceeded";
inline constexpr std::string_view kFileNotFound = "org.freedesktop.DBus.Error.FileNotFound";
inline constexpr std::string_view kFailed = "org.freedesktop.DBus.Error.Failed";
}  // namespace bus_error

struct BusError {
  std::string name;
  std::string text;
};

template <class T = void>
using BusResult = tl::expected<T, BusError>;

inline tl::unexpected<BusError> refuse(std::string_view name, std::string text) {
  return tl::make_unexpected(BusError{std::string(name), std::move(text)});
}

}  // namespace rehearse::units
