#include "hostmesh/plugin/installation.hpp"

#include <dlfcn.h>

#include <system_error>

namespace hostmesh {

std::filesystem::path installation_folder() {
  std::error_code failure;
  Dl_info here{};
  if (::dladdr(reinterpret_cast<const void*>(&installation_folder), &here) != 0 &&
      here.dli_fname != nullptr) {
    // Of a program this is its argv[0], which is whatever its caller says.
    const std::filesystem::path file(here.dli_fname);
    if (file.filename().string().starts_with("libhostmesh.so")) {
      const auto library = std::filesystem::canonical(file, failure);
      if (!failure) return library.parent_path().parent_path();
    }
  }
  return std::filesystem::read_symlink("/proc/self/exe", failure).parent_path().parent_path();
}

}  // namespace hostmesh
