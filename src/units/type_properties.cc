#include "units/type_properties.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <vector>

#include "units/dbus_signature.h"

namespace rehearse::units {
namespace {

// NAME:SIGNATURE[=INITIAL], in the order in which systemd has them; "!" before what no unit file says.

constexpr std::string_view kCgroup = R"(
Slice:s=system.slice !ControlGroup:s !ControlGroupId:t !MemoryCurrent:t=max !MemoryAvailable:t=max
!CPUUsageNSec:t=max !EffectiveCPUs:ay !EffectiveMemoryNodes:ay !TasksCurrent:t=max !IPIngressBytes:t=max
!IPIngressPackets:t=max !IPEgressBytes:t=max !IPEgressPackets:t=max !IOReadBytes:t=max
!IOReadOperations:t=max !IOWriteBytes:t=max !IOWriteOperations:t=max Delegate:b DelegateControllers:as
CPUAccounting:b=1 CPUWeight:t=max StartupCPUWeight:t=max CPUShares:t=max StartupCPUShares:t=max
CPUQuotaPerSecUSec:t=max CPUQuotaPeriodUSec:t=max AllowedCPUs:ay StartupAllowedCPUs:ay AllowedMemoryNodes:ay
StartupAllowedMemoryNodes:ay IOAccounting:b IOWeight:t=max StartupIOWeight:t=max IODeviceWeight:a(st)
IOReadBandwidthMax:a(st) IOWriteBandwidthMax:a(st) IOReadIOPSMax:a(st) IOWriteIOPSMax:a(st)
IODeviceLatencyTargetUSec:a(st) BlockIOAccounting:b BlockIOWeight:t=max StartupBlockIOWeight:t=max
BlockIODeviceWeight:a(st) BlockIOReadBandwidth:a(st) BlockIOWriteBandwidth:a(st) MemoryAccounting:b=1
DefaultMemoryLow:t DefaultMemoryMin:t MemoryMin:t MemoryLow:t MemoryHigh:t=max MemoryMax:t=max
MemorySwapMax:t=max MemoryLimit:t=max DevicePolicy:s=auto DeviceAllow:a(ss) TasksAccounting:b=1
TasksMax:t=28909 IPAccounting:b IPAddressAllow:a(iayu) IPAddressDeny:a(iayu) IPIngressFilterPath:as
IPEgressFilterPath:as DisableControllers:as ManagedOOMSwap:s=auto ManagedOOMMemoryPressure:s=auto
ManagedOOMMemoryPressureLimit:u ManagedOOMPreference:s=none BPFProgram:a(ss) SocketBindAllow:a(iiqq)
SocketBindDeny:a(iiqq) RestrictNetworkInterfaces:(bas))";

constexpr std::string_view kKill = R"(
KillMode:s=control-group KillSignal:i=15 RestartKillSignal:i=15 FinalKillSignal:i=9 SendSIGKILL:b=1
SendSIGHUP:b WatchdogSignal:i=6)";

constexpr std::string_view kExec = R"(
Environment:as EnvironmentFiles:a(sb) PassEnvironment:as UnsetEnvironment:as UMask:u=18 LimitCPU:t=max
LimitCPUSoft:t=max LimitFSIZE:t=max LimitFSIZESoft:t=max LimitDATA:t=max LimitDATASoft:t=max
LimitSTACK:t=max LimitSTACKSoft:t=8388608 LimitCORE:t=max LimitCORESoft:t LimitRSS:t=max LimitRSSSoft:t=max
LimitNOFILE:t=524288 LimitNOFILESoft:t=1024 LimitAS:t=max LimitASSoft:t=max LimitNPROC:t=96364
LimitNPROCSoft:t=96364 LimitMEMLOCK:t=8388608 LimitMEMLOCKSoft:t=8388608 LimitLOCKS:t=max
LimitLOCKSSoft:t=max LimitSIGPENDING:t=96364 LimitSIGPENDINGSoft:t=96364 LimitMSGQUEUE:t=819200
LimitMSGQUEUESoft:t=819200 LimitNICE:t LimitNICESoft:t LimitRTPRIO:t LimitRTPRIOSoft:t LimitRTTIME:t=max
LimitRTTIMESoft:t=max WorkingDirectory:s RootDirectory:s RootImage:s RootImageOptions:a(ss) RootHash:ay
RootHashPath:s RootHashSignature:ay RootHashSignaturePath:s RootVerity:s ExtensionDirectories:as
ExtensionImages:a(sba(ss)) MountImages:a(ssba(ss)) OOMScoreAdjust:i CoredumpFilter:t=51 Nice:i
IOSchedulingClass:i=2 IOSchedulingPriority:i=4 CPUSchedulingPolicy:i CPUSchedulingPriority:i CPUAffinity:ay
CPUAffinityFromNUMA:b NUMAPolicy:i=-1 NUMAMask:ay TimerSlackNSec:t=50000 CPUSchedulingResetOnFork:b
NonBlocking:b StandardInput:s=null StandardInputFileDescriptorName:s StandardInputData:ay
StandardOutput:s=journal StandardOutputFileDescriptorName:s StandardError:s=inherit
StandardErrorFileDescriptorName:s TTYPath:s TTYReset:b TTYVHangup:b TTYVTDisallocate:b TTYRows:q=65535
TTYColumns:q=65535 SyslogPriority:i=30 SyslogIdentifier:s SyslogLevelPrefix:b=1 SyslogLevel:i=6
SyslogFacility:i=3 LogLevelMax:i=-1 LogRateLimitIntervalUSec:t LogRateLimitBurst:u LogExtraFields:aay
LogNamespace:s SecureBits:i CapabilityBoundingSet:t=max AmbientCapabilities:t User:s Group:s DynamicUser:b
RemoveIPC:b SetCredential:a(say) SetCredentialEncrypted:a(say) LoadCredential:a(ss)
LoadCredentialEncrypted:a(ss) SupplementaryGroups:as PAMName:s ReadWritePaths:as ReadOnlyPaths:as
InaccessiblePaths:as ExecPaths:as NoExecPaths:as ExecSearchPath:as MountFlags:t PrivateTmp:b
PrivateDevices:b ProtectClock:b ProtectKernelTunables:b ProtectKernelModules:b ProtectKernelLogs:b
ProtectControlGroups:b PrivateNetwork:b PrivateUsers:b PrivateMounts:b PrivateIPC:b ProtectHome:s=no
ProtectSystem:s=no SameProcessGroup:b UtmpIdentifier:s UtmpMode:s=init SELinuxContext:(bs)
AppArmorProfile:(bs) SmackProcessLabel:(bs) IgnoreSIGPIPE:b=1 NoNewPrivileges:b SystemCallFilter:(bas)
SystemCallArchitectures:as SystemCallErrorNumber:i=2147483646 SystemCallLog:(bas) Personality:s
LockPersonality:b RestrictAddressFamilies:(bas) RuntimeDirectorySymlink:a(sst) RuntimeDirectoryPreserve:s=no
RuntimeDirectoryMode:u=493 RuntimeDirectory:as StateDirectorySymlink:a(sst) StateDirectoryMode:u=493
StateDirectory:as CacheDirectorySymlink:a(sst) CacheDirectoryMode:u=493 CacheDirectory:as
LogsDirectorySymlink:a(sst) LogsDirectoryMode:u=493 LogsDirectory:as ConfigurationDirectoryMode:u=493
ConfigurationDirectory:as TimeoutCleanUSec:t=max MemoryDenyWriteExecute:b RestrictRealtime:b
RestrictSUIDSGID:b RestrictNamespaces:t=max RestrictFileSystems:(bas) BindPaths:a(ssbt)
BindReadOnlyPaths:a(ssbt) TemporaryFileSystem:a(ss) MountAPIVFS:b KeyringMode:s=private
ProtectProc:s=default ProcSubset:s=all ProtectHostname:b NetworkNamespacePath:s IPCNamespacePath:s)";

constexpr std::string_view kUnit = R"(
!Id:s !Names:as !Following:s !Requires:as Requisite:as !Wants:as BindsTo:as PartOf:as Upholds:as
!RequiredBy:as !RequisiteOf:as !WantedBy:as !BoundBy:as !UpheldBy:as !ConsistsOf:as !Conflicts:as
!ConflictedBy:as Before:as After:as OnSuccess:as !OnSuccessOf:as OnFailure:as !OnFailureOf:as !Triggers:as
!TriggeredBy:as PropagatesReloadTo:as !ReloadPropagatedFrom:as PropagatesStopTo:as StopPropagatedFrom:as
JoinsNamespaceOf:as !SliceOf:as RequiresMountsFor:as Documentation:as !Description:s !AccessSELinuxContext:s
!LoadState:s !ActiveState:s !FreezerState:s=running !SubState:s !FragmentPath:s !SourcePath:s
!DropInPaths:as !UnitFileState:s !UnitFilePreset:s !StateChangeTimestamp:t !StateChangeTimestampMonotonic:t
!InactiveExitTimestamp:t !InactiveExitTimestampMonotonic:t !ActiveEnterTimestamp:t
!ActiveEnterTimestampMonotonic:t !ActiveExitTimestamp:t !ActiveExitTimestampMonotonic:t
!InactiveEnterTimestamp:t !InactiveEnterTimestampMonotonic:t !CanStart:b !CanStop:b !CanReload:b
!CanIsolate:b !CanClean:as !CanFreeze:b !Job:(uo) StopWhenUnneeded:b RefuseManualStart:b RefuseManualStop:b
AllowIsolate:b DefaultDependencies:b=1 OnSuccessJobMode:s=fail OnFailureJobMode:s=replace IgnoreOnIsolate:b
!NeedDaemonReload:b !Markers:as JobTimeoutUSec:t=max JobRunningTimeoutUSec:t=max JobTimeoutAction:s=none
JobTimeoutRebootArgument:s !ConditionResult:b !AssertResult:b !ConditionTimestamp:t
!ConditionTimestampMonotonic:t !AssertTimestamp:t !AssertTimestampMonotonic:t !Conditions:a(sbbsi)
!Asserts:a(sbbsi) !LoadError:(ss) !Transient:b !Perpetual:b StartLimitIntervalUSec:t=10000000
StartLimitBurst:u=5 StartLimitAction:s=none FailureAction:s=none FailureActionExitStatus:i=-1
SuccessAction:s=none SuccessActionExitStatus:i=-1 RebootArgument:s !InvocationID:ay CollectMode:s=inactive
!Refs:as !ActivationDetails:a(ss))";

constexpr std::string_view kService = R"(
Type:s=simple ExitType:s=main Restart:s=no PIDFile:s NotifyAccess:s=none RestartUSec:t=100000
TimeoutStartUSec:t=90000000 TimeoutStopUSec:t=90000000 TimeoutAbortUSec:t=90000000
TimeoutStartFailureMode:s=terminate TimeoutStopFailureMode:s=terminate RuntimeMaxUSec:t=max
RuntimeRandomizedExtraUSec:t WatchdogUSec:t !WatchdogTimestamp:t !WatchdogTimestampMonotonic:t
RootDirectoryStartOnly:b RemainAfterExit:b GuessMainPID:b=1 RestartPreventExitStatus:(aiai)
RestartForceExitStatus:(aiai) SuccessExitStatus:(aiai) !MainPID:u !ControlPID:u BusName:s
FileDescriptorStoreMax:u !NFileDescriptorStore:u !StatusText:s !StatusErrno:i !Result:s=success
!ReloadResult:s=success !CleanResult:s=success USBFunctionDescriptors:s USBFunctionStrings:s
!UID:u=4294967295 !GID:u=4294967295 !NRestarts:u OOMPolicy:s=stop !ExecMainStartTimestamp:t
!ExecMainStartTimestampMonotonic:t !ExecMainExitTimestamp:t !ExecMainExitTimestampMonotonic:t !ExecMainPID:u
!ExecMainCode:i !ExecMainStatus:i ExecCondition:a(sasbttttuii) ExecConditionEx:a(sasasttttuii)
ExecStartPre:a(sasbttttuii) ExecStartPreEx:a(sasasttttuii) ExecStart:a(sasbttttuii)
ExecStartEx:a(sasasttttuii) ExecStartPost:a(sasbttttuii) ExecStartPostEx:a(sasasttttuii)
ExecReload:a(sasbttttuii) ExecReloadEx:a(sasasttttuii) ExecStop:a(sasbttttuii) ExecStopEx:a(sasasttttuii)
ExecStopPost:a(sasbttttuii) ExecStopPostEx:a(sasasttttuii))";

constexpr std::string_view kSocket = R"(
BindIPv6Only:s=default Backlog:u=2147483647 TimeoutUSec:t=90000000 BindToDevice:s SocketUser:s SocketGroup:s
SocketMode:u=438 DirectoryMode:u=493 Accept:b FlushPending:b Writable:b KeepAlive:b KeepAliveTimeUSec:t
KeepAliveIntervalUSec:t KeepAliveProbes:u DeferAcceptUSec:t NoDelay:b Priority:i=-1 ReceiveBuffer:t
SendBuffer:t IPTOS:i=-1 IPTTL:i=-1 PipeSize:t FreeBind:b Transparent:b Broadcast:b PassCredentials:b
PassSecurity:b PassPacketInfo:b Timestamping:s RemoveOnStop:b Listen:a(ss) Symlinks:as Mark:i=-1
MaxConnections:u=64 MaxConnectionsPerSource:u MessageQueueMaxMessages:x MessageQueueMessageSize:x
TCPCongestion:s ReusePort:b SmackLabel:s SmackLabelIPIn:s SmackLabelIPOut:s !ControlPID:u !Result:s=success
!NConnections:u !NAccepted:u !NRefused:u FileDescriptorName:s SocketProtocol:i
TriggerLimitIntervalUSec:t=2000000 TriggerLimitBurst:u=20 !UID:u=4294967295 !GID:u=4294967295
ExecStartPre:a(sasbttttuii) ExecStartPost:a(sasbttttuii) ExecStopPre:a(sasbttttuii)
ExecStopPost:a(sasbttttuii))";

constexpr std::string_view kTimer = R"(
Unit:s TimersMonotonic:a(stt) TimersCalendar:a(sst) OnClockChange:b OnTimezoneChange:b
!NextElapseUSecRealtime:t=max !NextElapseUSecMonotonic:t=max !LastTriggerUSec:t !LastTriggerUSecMonotonic:t
!Result:s=success AccuracyUSec:t=60000000 RandomizedDelayUSec:t FixedRandomDelay:b Persistent:b WakeSystem:b
RemainAfterElapse:b=1)";

constexpr std::string_view kPath = R"(
Unit:s Paths:a(ss) MakeDirectory:b DirectoryMode:u=493 !Result:s=success TriggerLimitIntervalUSec:t=2000000
TriggerLimitBurst:u=200)";

constexpr std::string_view kAutomount = R"(
Where:s ExtraOptions:s DirectoryMode:u=493 !Result:s=success TimeoutIdleUSec:t)";

constexpr std::string_view kMount = R"(
Where:s What:s Options:s Type:s TimeoutUSec:t=90000000 !ControlPID:u DirectoryMode:u=493 SloppyOptions:b
LazyUnmount:b ForceUnmount:b ReadWriteOnly:b !Result:s=success !UID:u=4294967295 !GID:u=4294967295
ExecMount:a(sasbttttuii) ExecUnmount:a(sasbttttuii) ExecRemount:a(sasbttttuii))";

constexpr std::string_view kSwap = R"(
What:s Priority:i=-1 Options:s TimeoutUSec:t=90000000 !ControlPID:u !Result:s=success !UID:u=4294967295
!GID:u=4294967295 ExecActivate:a(sasbttttuii) ExecDeactivate:a(sasbttttuii))";

constexpr std::string_view kScope = R"(
!Controller:s TimeoutStopUSec:t=90000000 !Result:s=success RuntimeMaxUSec:t=max RuntimeRandomizedExtraUSec:t
OOMPolicy:s=stop)";

constexpr std::string_view kDevice = "!SysFSPath:s";

std::vector<KnownProperty> parse(std::initializer_list<std::string_view> tables) {
  std::vector<KnownProperty> known;
  for (std::string_view table : tables) {
    while (true) {
      const std::size_t begin = table.find_first_not_of(" \n");
      if (begin == std::string_view::npos) break;
      table.remove_prefix(begin);
      const std::size_t end = std::min(table.find_first_of(" \n"), table.size());
      std::string_view word = table.substr(0, end);
      table.remove_prefix(end);
      KnownProperty one;
      one.setting = word.front() != '!';
      if (!one.setting) word.remove_prefix(1);
      const std::size_t colon = word.find(':');
      const std::size_t equals = std::min(word.find('=', colon), word.size());
      one.name = word.substr(0, colon);
      one.signature = word.substr(colon + 1, equals - colon - 1);
      if (equals < word.size()) one.initial = word.substr(equals + 1);
      known.push_back(one);
    }
  }
  return known;
}

const std::map<std::string_view, std::vector<KnownProperty>>& tables() {
  static const std::map<std::string_view, std::vector<KnownProperty>> kTables = {
      {"org.freedesktop.systemd1.Unit", parse({kUnit})},
      {"org.freedesktop.systemd1.Service", parse({kService, kCgroup, kExec, kKill})},
      {"org.freedesktop.systemd1.Socket", parse({kSocket, kCgroup, kExec, kKill})},
      {"org.freedesktop.systemd1.Mount", parse({kMount, kCgroup, kExec, kKill})},
      {"org.freedesktop.systemd1.Swap", parse({kSwap, kCgroup, kExec, kKill})},
      {"org.freedesktop.systemd1.Slice", parse({kCgroup})},
      {"org.freedesktop.systemd1.Scope", parse({kScope, kCgroup, kKill})},
      {"org.freedesktop.systemd1.Timer", parse({kTimer})},
      {"org.freedesktop.systemd1.Path", parse({kPath})},
      {"org.freedesktop.systemd1.Automount", parse({kAutomount})},
      {"org.freedesktop.systemd1.Device", parse({kDevice})},
  };
  return kTables;
}

std::uint64_t number_of(std::string_view text) {
  if (text == "max") return std::numeric_limits<std::uint64_t>::max();
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return static_cast<std::uint64_t>(number);
}

/// `number` and `text` are for a signature of one number or text.
void write_value(DbusWriter& out, std::string_view type, std::uint64_t number, std::string_view text) {
  switch (type.front()) {
    case 'y':
      out.byte(static_cast<std::uint8_t>(number));
      return;
    case 'n':
    case 'q':
      out.uint16(static_cast<std::uint16_t>(number));
      return;
    case 'b':
    case 'i':
    case 'u':
      out.uint32(static_cast<std::uint32_t>(number));
      return;
    case 'x':
    case 't':
    case 'd':
      out.uint64(number);
      return;
    case 's':
      out.string(text);
      return;
    case 'o':
      out.object_path("/");
      return;
    case 'g':
      out.signature("");
      return;
    case 'v':
      out.open_variant("s").string("");
      return;
    case 'a':
      out.close_array(out.open_array(type[1]));
      return;
    default:
      break;
  }
  out.open_struct();  // "(...)": kMaxNesting bounds the depth
  for (std::string_view inner = type.substr(1); const std::size_t size = complete_type(inner);) {
    write_value(out, inner.substr(0, size), 0, {});
    inner.remove_prefix(size);
  }
}

}  // namespace

std::span<const KnownProperty> known_properties(std::string_view interface) {
  const auto found = tables().find(interface);
  return found == tables().end() ? std::span<const KnownProperty>() : found->second;
}

const KnownProperty* known_property(std::string_view interface, std::string_view name) {
  const auto known = known_properties(interface);
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const auto& one) { return one.name == name; });
  return found == known.end() ? nullptr : &*found;
}

Defaults read_defaults(std::string_view manager_properties) {
  constexpr std::string_view kPrefix = "Default";
  Defaults defaults;
  DbusReader reader(manager_properties, "a{sv}");
  reader.enter_array("{sv}");
  while (reader.more()) {
    reader.enter_struct();
    const std::string_view key = reader.string();
    if (key.starts_with(kPrefix)) {
      std::string name(key == "DefaultTimerAccuracyUSec" ? "AccuracyUSec" : key.substr(kPrefix.size()));
      Property value = read_variant(name, reader);
      defaults.emplace(std::move(name), std::move(value));
    } else {
      reader.skip();
    }
    reader.leave();
  }
  return defaults;
}

Property initial_property(const KnownProperty& known, const Defaults& defaults) {
  const auto configured = defaults.find(known.name);
  if (known.setting && configured != defaults.end() && configured->second.signature == known.signature)
    return configured->second;
  DbusWriter out;
  write_value(out, known.signature, number_of(known.initial), known.initial);
  return {std::string(known.name), std::string(known.signature), out.take()};
}

Property least_property(std::string name, std::string_view signature) {
  DbusWriter out;
  write_value(out, signature, 0, {});
  return {std::move(name), std::string(signature), out.take()};
}

}  // namespace rehearse::units
