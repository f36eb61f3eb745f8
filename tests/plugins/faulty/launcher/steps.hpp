// Steps: everything that a launcher does for a launch, one function each, done right. A faulty plugin is this
// launcher with one step done wrongly; without a fault it is an ordinary plugin, which shares nothing with
// the host but the interface.
//
//   struct EndsTwice : faulty::Steps {
//     void tell_end(const Host& host, LaunchId id, const End& end) override { ... }
//   };
//   FAULTY_PLUGIN(EndsTwice)
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "descriptor.hpp"
#include "hostmesh/plugin/sdk.hpp"

namespace faulty {

using hostmesh::plugin::Capability;
using hostmesh::plugin::Config;
using hostmesh::plugin::Description;
using hostmesh::plugin::Host;
using hostmesh::plugin::LaunchId;
using hostmesh::plugin::LaunchRequest;
using hostmesh::plugin::OptionType;
using hostmesh::plugin::StdinUse;
using hostmesh::plugin::Stream;

// How a child is made, besides its command.
struct Setup {
  bool own_group = true;
  // TERM comes from the kernel when the launcher's thread ends; not KILL, for a child has to clean up.
  bool dies_with_host = true;
  bool default_signals = true;
  bool nothing_blocked = true;
  bool only_its_descriptors = true;
  // In the child, before the program; only what is allowed between fork and exec.
  void (*in_child)() = nullptr;
};

struct End {
  bool by_signal = false;
  int value = 0;  // the code, or the signal's number
  bool core_dumped = false;
};

struct Child {
  pid_t pid = -1;
  Descriptor pidfd;
  Descriptor in;  // our ends of its pipes
  Descriptor out;
  Descriptor err;
  std::vector<std::uint8_t> unwritten;  // of the payload
  StdinUse stdin_use = StdinUse::kLifeline;
  bool paused = false;
};
using Children = std::map<LaunchId, Child>;

class Steps {
 public:
  Steps() = default;
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;
  virtual ~Steps() = default;

  static Description describe();

  // ---- on the host's thread ----
  virtual void accept(const Host&, const LaunchRequest&) {}
  // Whether a signal is for this launch at all; one that has ended counts, too.
  virtual bool takes_signal(LaunchId) { return true; }
  // Destroyed but for this; returns at once.
  virtual void destroyed(const Host&) {}

  // ---- on the launcher's ----
  virtual void prepare(const Host&, LaunchRequest&, Setup&) {}
  virtual void tell_launched(const Host& host, LaunchId id, pid_t pid);
  virtual void tell_failed(const Host& host, LaunchId id, const std::string& why, int os_error);
  virtual void tell_output(const Host& host, LaunchId id, Stream stream, std::span<const std::uint8_t> bytes);
  virtual void tell_end(const Host& host, LaunchId id, const End& end);
  // Only of launches that run.
  virtual void send_signal(Children& children, LaunchId id, int number);
  // Of a launch that has ended, or is not there.
  virtual void signal_ended(LaunchId, int /*number*/) {}
  virtual void payload_written(Child& child);
  virtual void close_stdin(Child& child);
  // What it wrote before it ended.
  virtual void read_the_rest(const Host& host, LaunchId id, Child& child);
  // It is dead already.
  virtual void reap(Child& child);
  virtual void kill_all(Children& children);
};

}  // namespace faulty
