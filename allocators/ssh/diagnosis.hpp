// What an ssh client's end means. It exits with 255 whatever went wrong; only its words tell one from
// another.
//
// Words count only in the mouth of who says them: ssh's own lines have their own shapes, and the last one
// counts; a daemon's banner, a profile and a jump host's daemon may say anything. What a shell means is said
// by its code.
//
// Pure: the exit and the last lines in, a class and a sentence out.
#pragma once

#include <string>
#include <string_view>

namespace hostmesh_ssh {

enum class Trouble {
  kBusy,        // the daemon has too many logins under way and turns some away at random: try again
  kName,        // the name does not resolve
  kNameForNow,  // it may resolve in a moment
  kRefused,     // nobody listens there
  kNoRoute,     // the network knows no way
  kNoAnswer,    // nothing came back in time
  kHostKey,     // unknown
  kChangedKey,  // another one than before
  kLogin,       // no key of ours is accepted
  kNoSsh,       // something else than an ssh daemon listens there
  kMethods,     // the two ends have no way of encryption in common
  kJump,        // the host on the way does not let us through
  kProxy,       // what leads there ended, for a reason of its own
  kNoProgram,   // hostmesh-bootstrap is not there
  kNoCopy,      // the same, where a copy of it is to be
  kMissing,     // hostmesh-bootstrap is there, and what it is to start is not
  kCannotRun,   // it is there, and cannot be executed
  kMachine,     // the machine is of another kind than our program
  kDiskFull,    // or the user's share of it
  kNoFolder,    // where the copy is to be
  kNoTools,     // that compare a copy
  kDamaged,     // what was copied did not come whole
  kNoWayBack,   // it is there, and cannot reach us
  kVersion,     // it is there, in another version
  kOtherShell,  // a shell took our request for a script
  kRemote,      // the login worked, and what ran there ended otherwise
  kConfig,      // ssh does not understand its options
  kNotOpenSsh,  // the client is another one
  kClientGone,  // the ssh client itself was killed
  kOther,
};

struct ClientEnd {
  bool by_signal = false;
  int number = 0;  // the code or the signal
  std::string_view last_lines;
  std::string_view command = "hostmesh-bootstrap";  // that was to be started there
};

struct Diagnosis {
  Trouble trouble = Trouble::kOther;
  bool is_on_the_way = false;  // it is of the host on the way, or of what leads there

  bool operator==(const Diagnosis&) const = default;
};

// Of a client that ended before the remote program had started.
Diagnosis diagnose(const ClientEnd& end);
// Worth another try, a little later.
bool may_pass(Trouble trouble);
// "its name does not resolve".
std::string meaning(const Diagnosis& diagnosis);
// What a person might do about it; empty when that is plain.
std::string_view advice(const Diagnosis& diagnosis);
// The last of ssh's words, in one line and without its decoration.
std::string words(std::string_view last_lines);

}  // namespace hostmesh_ssh
