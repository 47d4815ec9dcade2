// The fields that a filter can ask for: their names, types and meaning.
//
// Names and meaning are libsinsp's where it has the field (falcosecurity/libs, sinsp_filtercheck_*.cpp).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace rehearse::trace {

enum class Field : std::uint8_t {
  kEvtNum,
  kEvtTime,
  kEvtRawtime,
  kEvtReltime,
  kEvtLatency,
  kEvtType,
  kEvtDir,
  kEvtCategory,
  kEvtRes,
  kEvtRawres,
  kEvtFailed,
  kEvtArg,
  kEvtArgs,
  kEvtIsOpenRead,
  kEvtIsOpenWrite,
  kEvtTampered,
  kEvtLate,
  kEvtUnread,
  kEvtPrivileged,
  kProcPid,
  kProcVpid,
  kProcPpid,
  kProcName,
  kProcExe,
  kProcExepath,
  kProcArgs,
  kProcCmdline,
  kProcCwd,
  kProcPname,
  kProcAname,
  kProcApid,
  kProcId,
  kProcDuration,
  kThreadTid,
  kThreadVtid,
  kUserUid,
  kUserName,
  kGroupGid,
  kFdNum,
  kFdType,
  kFdTypechar,
  kFdName,
  kFdDirectory,
  kFdFilename,
  kFdIp,
  kFdCip,
  kFdSip,
  kFdPort,
  kFdCport,
  kFdSport,
  kFdL4proto,
  kFdDev,
  kFdIno,
  kFdUpper,
  kFsPathName,
  kFsPathSource,
  kFsPathTarget,
  kSignalNumber,
  kSignalName,
  kSignalTarget,
};

enum class FieldType : std::uint8_t {
  kBool,
  kInt,
  kUint,
  kPort,
  kTime,      ///< nanoseconds since 1970
  kDuration,  ///< nanoseconds
  kString,
  kIp,
  kAny,  ///< text or number, as the event has it
};

enum class ArgumentRule : std::uint8_t { kNone, kOptionalIndex, kRequired };

struct FieldInfo {
  Field field;
  std::string_view name;
  FieldType type;
  ArgumentRule argument;
  std::string_view about;  ///< one line, no full stop
};

/// All fields in the order of the enum, for `rehearse trace --fields`.
std::span<const FieldInfo> all_fields();
const FieldInfo& info(Field field);
/// nullptr if no field has that name.
const FieldInfo* find_field(std::string_view name);
/// The name a person may have meant; empty if none is near.
std::string_view nearest_field(std::string_view name);
/// "whole number", "text", …
std::string_view type_name(FieldType type);
/// The same in a sentence: "a whole number", "text", …
std::string_view type_phrase(FieldType type);

}  // namespace rehearse::trace
