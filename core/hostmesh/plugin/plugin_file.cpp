#include "hostmesh/plugin/plugin_file.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/trusted_file.hpp"

namespace hostmesh {

namespace {

#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#else
#error "say which ELF machine this is"
#endif

Error refused(const std::filesystem::path& file, const std::string& reason, std::string hint = {},
              int error_number = 0) {
  const std::string message = "plugin file " + file.string() + " refused: " + reason;
  // The file may well be right.
  if (is_exhaustion(error_number))
    return os_error(Cause::kResourceLimit, message, error_number).with_phase("load");
  return Error(ErrorInfo{.cause = Cause::kPlugin,
                         .message = message,
                         .phase = "load",
                         .os_error = error_number,
                         .hint = std::move(hint)});
}

bool read_at(int fd, std::uint64_t offset, void* into, std::size_t size) {
  auto* bytes = static_cast<char*>(into);
  while (size != 0) {
    const ssize_t got = ::pread(fd, bytes, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    bytes += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

// The loader maps segments without asking whether the file has them, and touching what is missing is a
// SIGBUS; so a truncated file must be noticed here. Empty when all is well.
std::string not_a_library(int fd, std::uint64_t file_size) {
  Elf64_Ehdr header{};
  if (file_size == 0) return "it is empty";
  if (!read_at(fd, 0, &header, std::min<std::uint64_t>(sizeof(header), file_size)))
    return "it cannot be read";
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return "it is no shared library (no ELF header)";
  if (file_size < sizeof(header)) return "it is truncated within its ELF header";
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kMachine) {
    return "it is a library of another machine (ELF class " + std::to_string(header.e_ident[EI_CLASS]) +
           ", machine " + std::to_string(header.e_machine) + "; this one is 2, " + std::to_string(kMachine) +
           ")";
  }
  if (header.e_type != ET_DYN) return "it is an ELF file but no shared library";
  const auto truncated = [&](const char* what, std::uint64_t needed) {
    return std::string("it is truncated: its ") + what + " end at byte " + std::to_string(needed) +
           ", the file has " + std::to_string(file_size);
  };
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return "its ELF header is damaged";
  const std::uint64_t headers_size = std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (header.e_phoff > file_size || headers_size > file_size - header.e_phoff) {
    return truncated("program headers", header.e_phoff + headers_size);
  }
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  if (!read_at(fd, header.e_phoff, segments.data(), headers_size)) return "it cannot be read";
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_LOAD && segment.p_type != PT_DYNAMIC) continue;
    if (segment.p_offset > file_size || segment.p_filesz > file_size - segment.p_offset) {
      return truncated("segments", segment.p_offset + segment.p_filesz);
    }
  }
  const std::uint64_t sections_size = std::uint64_t{header.e_shnum} * header.e_shentsize;
  if (header.e_shnum != 0 && (header.e_shoff > file_size || sections_size > file_size - header.e_shoff)) {
    return truncated("section headers", header.e_shoff + sections_size);
  }
  return {};
}

}  // namespace

Result<std::filesystem::path> check_plugin_file(const std::filesystem::path& file) {
  std::error_code failure;
  const std::filesystem::path absolute = std::filesystem::absolute(file, failure);
  const std::filesystem::path resolved = std::filesystem::canonical(absolute, failure);
  if (failure) return refused(file, "it cannot be found", {}, failure.value());

  // Not blocking, so that a fifo does not hold us.
  const UniqueFd fd(::open(resolved.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return refused(file, "it cannot be opened", {}, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return refused(file, "it cannot be seen", {}, errno);
  if (!S_ISREG(status.st_mode)) return refused(file, "it is no regular file");
  if (auto distrust = why_not_trusted(absolute, trust::Folder::kStrict))
    return refused(file, distrust->reason, distrust->hint, distrust->error_number);
  const std::string broken = not_a_library(fd.get(), static_cast<std::uint64_t>(status.st_size));
  if (!broken.empty()) return refused(file, broken);
  return resolved;
}

}  // namespace hostmesh
