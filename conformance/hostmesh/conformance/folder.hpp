// Folder: one of a case's own, removed with everything in it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace hostmesh::conformance {

class Folder {
 public:
  // In the folder for temporary files.
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Writes it.
  std::filesystem::path file(const std::string& name, const std::string& content, mode_t mode) const;

 private:
  std::filesystem::path path_;
};

}  // namespace hostmesh::conformance
