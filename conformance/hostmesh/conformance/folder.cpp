#include "hostmesh/conformance/folder.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <system_error>

#include "hostmesh/base/error.hpp"

namespace hostmesh::conformance {

Folder::Folder() {
  std::string path = (std::filesystem::temp_directory_path() / "hostmesh_conformance.XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) {
    throw Error(Cause::kIo, "no folder can be made in " + std::filesystem::temp_directory_path().string());
  }
  path_ = path;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path Folder::file(const std::string& name, const std::string& content, mode_t mode) const {
  const auto path = path_ / name;
  std::ofstream(path) << content;
  ::chmod(path.c_str(), mode);
  return path;
}

}  // namespace hostmesh::conformance
