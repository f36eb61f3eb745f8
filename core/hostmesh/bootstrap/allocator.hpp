// The allocator that plugins.yaml names: a plugin says how to start something, everything else is the core's.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/alloc/alloc.hpp"
#include "hostmesh/base/cancel.hpp"
#include "hostmesh/bootstrap/runtime.hpp"
#include "hostmesh/plugin/description.hpp"

namespace hostmesh {

class Plugin;

// The program that is launched for each rank. It must call bootstrap_if_child() first thing in main.
struct BootstrapCommand {
  std::vector<std::string> argv{};
  std::vector<std::string> environment{};  // "NAME=value", complete
  std::string working_directory{};         // empty: ours

  // hostmesh-bootstrap beside the running program, else of the installation or build tree that this library
  // belongs to, else in PATH; with our environment. Throws Error (kConfiguration) when the first that is
  // there is not trusted (base/trusted_file.hpp).
  static BootstrapCommand stock();
  // This very program again, with our environment.
  static BootstrapCommand this_program();
};

// The allocator `name` of `file`; an empty name is the file's default, an empty path the usual place. Throws
// Error: the file's problems as file:line:column, a plugin that cannot be used with its reason. `cancel` ends
// the wait for a plugin that is tried out, with kCancelled.
std::unique_ptr<Allocator> load_allocator(const std::filesystem::path& file, std::string_view name,
                                          Runtime& runtime,
                                          BootstrapCommand command = BootstrapCommand::stock(),
                                          std::shared_ptr<Cancel> cancel = {});

// The allocator of a plugin that is loaded already, with options that validate_options() has accepted. The
// runtime outlives it.
std::unique_ptr<Allocator> make_allocator(std::shared_ptr<Plugin> plugin, OptionValues options,
                                          Runtime& runtime,
                                          BootstrapCommand command = BootstrapCommand::stock());

}  // namespace hostmesh
