// What `push: true` is made of: our program as a file that is to be on every host, and the two commands that
// pass the remote shell for it.
//
// On a host the file is called after its content, so that a new build never meets an old copy, and lies in
// the user's cache folder, or in another one that is the user's own. It gets its name only when it is whole:
// it is written under a name of its own, compared, and renamed, so that two clients at once, or one that is
// interrupted, leave nothing wrong behind. Before each start it is compared again with what it has to be, by
// its size and the CRC of cksum, the one such tool that every POSIX system has: against disks and cables that
// err, and not against somebody who can write into that user's folders, against whom nothing there would
// help.
//
// Each command is one word in single quotes behind `sh -c`, without a quote, a backslash, an exclamation mark
// or a line break in it: shells of the families of sh, csh and fish all pass it on untouched.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hostmesh_ssh {

// The program as it is here.
struct Copy {
  std::string file;
  std::string digest;          // BLAKE2b of its content, 160 bits in hexadecimal digits: as `b2sum -l 160`
  std::uint32_t checksum = 0;  // as cksum has it
  std::uint64_t size = 0;      // bytes
  std::string machine;         // what `uname -sm` says where it runs; empty when not known

  bool operator==(const Copy&) const = default;
};

// Takes about a tenth of a second. None when `cancelled` becomes true; a file that cannot be read throws
// std::system_error.
std::optional<Copy> read_copy(const std::string& file, const std::atomic<bool>& cancelled);

// `folder` is where the copies are over there, "/x" or "~/x"; empty: the user's cache folder.
//
// Starts the copy with --exec. Where there is none, or a damaged one, it ends with kAbsent on stderr.
std::string start_command(const Copy& copy, const std::string& folder);
inline constexpr std::string_view kAbsent = "hostmesh-push: no copy is there yet";

// Makes the copy of what comes on stdin, unless it is there by now. It ends with 0, or with words on stderr.
// `token` is letters and digits that no other one uses.
std::string copy_command(const Copy& copy, const std::string& folder, std::string_view token);
// On stderr, with what it is and has to be, where the machine is of another kind.
inline constexpr std::string_view kOtherMachine = "hostmesh-push: this machine is ";
// On stderr, with what was done, when the folder cannot be made or written to, or is another user's.
inline constexpr std::string_view kUnusableFolder = "hostmesh-push: the folder for it: ";
// On stderr, where nothing can compare a copy.
inline constexpr std::string_view kNoComparison = "hostmesh-push: there is no cksum";
// On stderr, when what came is not what was sent.
inline constexpr std::string_view kNotWhole = "hostmesh-push: what came is not what was sent";

}  // namespace hostmesh_ssh
