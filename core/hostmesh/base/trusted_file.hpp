// Which files this program may obey, load or execute: those that nobody can have written who could not run
// code as this user anyway.
//
// A file is trusted when it, and every folder above it, belongs to root, to this user or to the owner of the
// running program, and none of them can be written to by others. A folder above may be writable when it is
// sticky, as /tmp is: there only its owner can replace what lies in it. The same rule as sshd's StrictModes.
// Any thread. In a header, because plugins use it as well.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>

namespace hostmesh {

// Why a file is not trusted: "it belongs to user 12, who is ...".
struct Distrust {
  std::string reason;
  std::string hint;      // what to try
  int error_number = 0;  // set when it could not be found out
};

namespace trust {

inline bool is_trusted_owner(uid_t owner) {
  if (owner == 0 || owner == ::geteuid()) return true;
  struct stat program {};
  return ::stat("/proc/self/exe", &program) == 0 && program.st_uid == owner;
}

// Empty when nothing is wrong.
inline std::string wrong_owner(const struct stat& status) {
  if (is_trusted_owner(status.st_uid)) return {};
  return "belongs to user " + std::to_string(status.st_uid) +
         ", who is neither root, this user nor the owner of this program";
}

// Empty when nothing is wrong.
inline std::string writable_by_others(const struct stat& status) {
  // A group with the number of its user is, by Debian's convention, that user's own.
  const bool own_group = status.st_gid == status.st_uid && status.st_uid != 0;
  if ((status.st_mode & S_IWOTH) == 0 && ((status.st_mode & S_IWGRP) == 0 || own_group)) return {};
  char mode[16];
  std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.st_mode & 07777U));
  return std::string("can be written to by others (mode ") + mode + ")";
}

enum class Folder : std::uint8_t {
  kOfFile,  // may be sticky
  kStrict,  // may not be writable by others even so
  kAbove,   // of the folders above; may be sticky
};

inline std::optional<Distrust> check_folder(const std::filesystem::path& folder, Folder which) {
  struct stat status {};
  const std::string name =
      (which == Folder::kAbove ? "the folder above it, " : "its folder ") + folder.string();
  if (::stat(folder.c_str(), &status) != 0)
    return Distrust{.reason = name + " cannot be seen", .hint = {}, .error_number = errno};
  struct stat root {};
  // Whoever owns the root has everything. In a user name space root may have another number.
  const bool is_roots = which == Folder::kAbove && ::stat("/", &root) == 0 && root.st_uid == status.st_uid;
  std::string wrong = is_roots ? std::string() : wrong_owner(status);
  if (wrong.empty() && ((status.st_mode & S_ISVTX) == 0 || which == Folder::kStrict)) {
    wrong = writable_by_others(status);
    if (!wrong.empty())
      return Distrust{.reason = name + " " + wrong, .hint = "chmod go-w " + folder.string()};
  }
  if (wrong.empty()) return std::nullopt;
  return Distrust{.reason = name + " " + wrong, .hint = {}};
}

inline std::optional<Distrust> check_folders(const std::filesystem::path& absolute, Folder nearest) {
  Folder which = nearest;
  for (std::filesystem::path folder = absolute.parent_path();; folder = folder.parent_path()) {
    if (auto distrust = check_folder(folder, which)) return distrust;
    which = Folder::kAbove;
    if (folder == folder.root_path()) return std::nullopt;
  }
}

}  // namespace trust

// Nothing when the file is trusted. What is no regular file, such as a pipe, is judged without its folders.
inline std::optional<Distrust> why_not_trusted(const std::filesystem::path& file,
                                               trust::Folder folder = trust::Folder::kOfFile) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0)
    return Distrust{.reason = "it cannot be seen", .hint = {}, .error_number = errno};
  std::string wrong = trust::wrong_owner(status);
  if (!wrong.empty()) return Distrust{.reason = "it " + wrong, .hint = {}};
  if (S_ISCHR(status.st_mode)) return std::nullopt;  // a terminal, /dev/null
  wrong = trust::writable_by_others(status);
  if (!wrong.empty()) return Distrust{.reason = "it " + wrong, .hint = "chmod go-w " + file.string()};
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  std::error_code failure;
  const std::filesystem::path absolute = std::filesystem::absolute(file, failure).lexically_normal();
  const std::filesystem::path resolved = std::filesystem::canonical(file, failure);
  if (failure) return Distrust{.reason = "it cannot be found", .hint = {}, .error_number = failure.value()};
  // Of a link both ways count: who can write to a folder of either can replace what is used.
  if (auto distrust = trust::check_folders(resolved, folder)) return distrust;
  if (absolute != resolved) return trust::check_folders(absolute, folder);
  return std::nullopt;
}

}  // namespace hostmesh
