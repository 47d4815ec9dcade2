// Process exit codes: a documented interface (README, man page). LSB, sysexits(3) and systemd.exec(5) decided
// the gaps.
#pragma once

namespace rehearse {

enum class ExitCode : int {
  kDone = 0,                 ///< green, or done, or nothing to do
  kFailure = 1,              ///< rehearse itself failed
  kYellow = 10,              ///< needs a human
  kRed = 11,                 ///< blocked by policy
  kInconclusive = 12,        ///< evidence insufficient
  kNotApproved = 13,         ///< promotion without a valid decision
  kStale = 14,               ///< the host moved since the rehearsal; nothing changed
  kDiverged = 15,            ///< promoted, and the host's service manager did not do what was rehearsed
  kRolledBack = 16,          ///< a promotion failed and was undone completely
  kRollbackIncomplete = 17,  ///< the host is neither as before nor as promoted: page someone
  kHalted = 18,              ///< a budget of the policy is used up for now
  kUsage = 64,               ///< EX_USAGE: the command line is wrong
  kDataError = 65,           ///< EX_DATAERR: input data is wrong
  kUnavailable = 69,         ///< EX_UNAVAILABLE: this host cannot do it
  kCantCreate = 73,          ///< EX_CANTCREAT: state cannot be written
  kTryLater = 75,            ///< EX_TEMPFAIL
  kNoPermission = 77,        ///< EX_NOPERM
  kConfig = 78,              ///< EX_CONFIG
};

}  // namespace rehearse
