#include "hostmesh/process/detail/close_descriptors.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace hostmesh::detail {

namespace {

// Where the open descriptors cannot be listed: closing each number takes 0.1 us, and limits of 10^9 exist.
constexpr unsigned kMostNumbers = 1U << 20;

// linux_dirent64: u64 inode, s64 offset, u16 size of the entry, u8 type, the name.
constexpr std::size_t kSizeAt = 16;
constexpr std::size_t kNameAt = 19;

HOSTMESH_VFORK_CHILD bool is_within(unsigned number, const DescriptorRange* ranges, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (number >= ranges[i].first && number <= ranges[i].last) return true;
  }
  return false;
}

// False when they cannot be listed.
HOSTMESH_VFORK_CHILD bool close_listed(const DescriptorRange* ranges, std::size_t count) {
  const long folder = ::syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (folder < 0) return false;
  alignas(8) char entries[1024];
  long size = 0;
  // The kernel lists by number, so that what is closed meanwhile hides nothing.
  while ((size = ::syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
    for (long at = 0; at < size;) {
      const char* const entry = entries + at;
      const auto low = static_cast<unsigned char>(entry[kSizeAt]);
      const auto high = static_cast<unsigned char>(entry[kSizeAt + 1]);
      at += low | high << 8;
      unsigned number = 0;
      const char* digit = entry + kNameAt;
      for (; *digit >= '0' && *digit <= '9'; ++digit)
        number = number * 10 + static_cast<unsigned>(*digit - '0');
      if (digit == entry + kNameAt || *digit != '\0') continue;  // "." and ".."
      if (number != static_cast<unsigned>(folder) && is_within(number, ranges, count)) {
        ::syscall(SYS_close, number);
      }
    }
  }
  ::syscall(SYS_close, folder);
  return size == 0;
}

HOSTMESH_VFORK_CHILD bool close_each(const DescriptorRange* ranges, std::size_t count) {
  if (close_listed(ranges, count)) return true;
  rlimit limit{};
  if (::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit) < 0) return false;
  const unsigned end = limit.rlim_cur < kMostNumbers ? static_cast<unsigned>(limit.rlim_cur) : kMostNumbers;
  for (std::size_t i = 0; i < count; ++i) {
    for (unsigned number = ranges[i].first; number < end && number <= ranges[i].last; ++number) {
      ::syscall(SYS_close, number);
    }
  }
  return true;
}

}  // namespace

HOSTMESH_VFORK_CHILD bool is_refused_call(int error) {
  return error == ENOSYS || error == EPERM;
}

HOSTMESH_VFORK_CHILD bool close_ranges(const DescriptorRange* ranges, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (::syscall(SYS_close_range, ranges[i].first, ranges[i].last, 0U) == 0) continue;
    return is_refused_call(errno) && close_each(ranges, count);
  }
  return true;
}

}  // namespace hostmesh::detail
