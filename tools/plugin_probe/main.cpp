// plugin-probe FILE: loads a plugin as hostmesh does, and so finds out whether one survives it. Started by
// hostmesh, see plugin/plugin_probe.hpp; what it has come to is written to descriptor 3.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdint>

#include "hostmesh/plugin/abi.h"
#include "hostmesh/plugin/detail/probe_protocol.hpp"

namespace {

using hostmesh::detail::kProbeDescriptor;
using hostmesh::detail::ProbeStep;

void report(ProbeStep step) {
  const char byte = static_cast<char>(step);
  // Without a reader there is nothing to do here.
  if (::write(kProbeDescriptor, &byte, 1) != 1) ::_exit(2);
}

// An entry point may call what it is given; nothing that it reports can be meant for anybody here.
hostmesh_host_table host_table() {
  return {.size = sizeof(hostmesh_host_table),
          .abi_version = HOSTMESH_ABI_VERSION,
          .version = {"probe", 5},
          .log = [](hostmesh_host*, std::uint32_t, hostmesh_text) {},
          .launched = [](hostmesh_host*, std::uint64_t, std::int64_t, hostmesh_text) {},
          .output = [](hostmesh_host*, std::uint64_t, std::uint32_t, hostmesh_bytes) {},
          .exited = [](hostmesh_host*, std::uint64_t, const hostmesh_exit*) {},
          .failed = [](hostmesh_host*, std::uint64_t, const hostmesh_error*) {},
          .spawn_local = [](hostmesh_host*, std::uint64_t, const hostmesh_command*,
                            hostmesh_error*) -> std::uint32_t { return HOSTMESH_CAUSE_PLUGIN; },
          .signal_local = [](hostmesh_host*, std::uint64_t, std::int32_t) {},
          .close_stdin_local = [](hostmesh_host*, std::uint64_t) {},
          .pause_output_local = [](hostmesh_host*, std::uint64_t) {},
          .resume_output_local = [](hostmesh_host*, std::uint64_t) {}};
}

// What can be told without dying is told by hostmesh itself, when it does the same.
void try_out(const char* file) {
  report(ProbeStep::kLoading);
  void* const library = ::dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return;
  const auto entry =
      reinterpret_cast<hostmesh_plugin_entry_function>(::dlsym(library, HOSTMESH_PLUGIN_ENTRY_NAME));
  if (entry == nullptr) return;
  try {
    static const hostmesh_host_table host = host_table();
    hostmesh_error error{};
    error.size = sizeof(error);
    report(ProbeStep::kEntering);
    const hostmesh_plugin_table* const table = entry(&host, 1, HOSTMESH_ABI_VERSION, &error);
    if (table == nullptr || table->abi_version > HOSTMESH_ABI_VERSION || table->describe == nullptr) return;
    report(ProbeStep::kDescribing);
    (void)table->describe(&error);
  } catch (...) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try_out(argv[1]);
  report(ProbeStep::kDone);
  ::_exit(0);  // exit handlers of the plugin are no part of loading it
}
