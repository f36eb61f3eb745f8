#include "copies.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <span>
#include <system_error>
#include <vector>

namespace hostmesh_ssh {

namespace {

constexpr std::size_t kPiece = 1 << 20;  // bytes
constexpr std::size_t kDigestSize = 20;  // bytes

// The CRC of POSIX's cksum: the polynomial of Ethernet, most significant bit first, then the length.
class Checksum {
 public:
  void add(std::span<const std::uint8_t> bytes) {
    for (const std::uint8_t byte : bytes) feed(byte);
  }
  std::uint32_t of_size(std::uint64_t size) {
    for (; size > 0; size >>= 8) feed(static_cast<std::uint8_t>(size));
    return ~crc_;
  }

 private:
  static constexpr std::array<std::uint32_t, 256> kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t value = i << 24;
      for (int bit = 0; bit < 8; ++bit) value = (value << 1) ^ ((value >> 31) != 0 ? 0x04C11DB7U : 0U);
      table[i] = value;
    }
    return table;
  }();

  void feed(std::uint8_t byte) { crc_ = (crc_ << 8) ^ kTable[(crc_ >> 24) ^ byte]; }

  std::uint32_t crc_ = 0;
};

class File {
 public:
  explicit File(const std::string& name) : fd_(::open(name.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::system_category(), name);
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Nothing at its end.
  std::span<const std::uint8_t> read(std::vector<std::uint8_t>& into, const std::string& name) const {
    for (;;) {
      const ssize_t count = ::read(fd_, into.data(), into.size());
      if (count >= 0) return {into.data(), static_cast<std::size_t>(count)};
      if (errno != EINTR) throw std::system_error(errno, std::system_category(), name);
    }
  }

 private:
  const int fd_;
};

// From the head of an ELF file.
std::string machine_of(std::span<const std::uint8_t> head) {
  constexpr std::array<std::uint8_t, 6> kElf64Little{0x7f, 'E', 'L', 'F', 2, 1};
  constexpr std::size_t kMachineAt = 18;
  if (head.size() < kMachineAt + 2 || !std::equal(kElf64Little.begin(), kElf64Little.end(), head.begin()))
    return {};
  switch (head[kMachineAt] | head[kMachineAt + 1] << 8) {
    case 62:
      return "Linux x86_64";
    case 183:
      return "Linux aarch64";
    case 243:
      return "Linux riscv64";
    default:
      return {};
  }
}

std::string hexadecimal(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string in_quotes(const std::string& script) {
  return "sh -c '" + script + "'";
}

// As a word of sh in double quotes.
std::string quoted_folder(const std::string& folder) {
  if (folder.empty()) return "\"${XDG_CACHE_HOME:-$HOME/.cache}/hostmesh\"";
  if (folder == "~" || folder.starts_with("~/")) return "\"$HOME" + folder.substr(1) + "\"";
  return "\"" + folder + "\"";
}

std::string complaint(std::string_view text, int code) {
  return "{ echo \"" + std::string(text) + "\" >&2; exit " + std::to_string(code) + "; }";
}

// What both commands begin with: d is the folder, f the file, w how it has to look.
std::string beginning(const Copy& copy, const std::string& folder) {
  std::string script = "d=" + quoted_folder(folder) + "; f=$d/bootstrap-" + copy.digest + "; w=\"" +
                       std::to_string(copy.checksum) + " " + std::to_string(copy.size) + "\"; ";
  if (!copy.machine.empty()) {
    script += "m=$(uname -sm); test \"$m\" = \"" + copy.machine + "\" || " +
              complaint(std::string(kOtherMachine) + "$m, and our program is for " + copy.machine, 126) +
              "; ";
  }
  return script + "command -v cksum >/dev/null || " + complaint(kNoComparison, 126) + "; ";
}

// That f is there and whole. In a folder that was named it has to be ours, because others may reach that.
std::string is_there(const std::string& folder) {
  return "test -f \"$f\" && " + std::string(folder.empty() ? "" : "test -O \"$d\" && test -O \"$f\" && ") +
         "test \"$(cksum <\"$f\")\" = \"$w\"";
}

}  // namespace

std::optional<Copy> read_copy(const std::string& file, const std::atomic<bool>& cancelled) {
  const File in(file);
  std::vector<std::uint8_t> piece(kPiece);
  crypto_generichash_state digest;
  Checksum checksum;
  Copy copy{.file = file};
  crypto_generichash_init(&digest, nullptr, 0, kDigestSize);
  for (;;) {
    if (cancelled) return std::nullopt;
    const auto bytes = in.read(piece, file);
    if (bytes.empty()) break;
    if (copy.size == 0) copy.machine = machine_of(bytes);
    crypto_generichash_update(&digest, bytes.data(), bytes.size());
    checksum.add(bytes);
    copy.size += bytes.size();
  }
  std::array<std::uint8_t, kDigestSize> result{};
  crypto_generichash_final(&digest, result.data(), result.size());
  copy.digest = hexadecimal(result);
  copy.checksum = checksum.of_size(copy.size);
  return copy;
}

std::string start_command(const Copy& copy, const std::string& folder) {
  return in_quotes(beginning(copy, folder) + is_there(folder) + " && exec \"$f\" --exec; " +
                   complaint(kAbsent, 127));
}

// What an interrupted copy has left behind goes with the next one that is made a day later. A copy that is
// whole by now, because somebody else was quicker, is not replaced: a process may run from it, and on a
// network file system that would lose its file. The words of its commands are in English, because they are
// understood.
std::string copy_command(const Copy& copy, const std::string& folder, std::string_view token) {
  const auto fails = [](std::string_view what) {
    return complaint(std::string(kUnusableFolder) + std::string(what), 1);
  };
  const std::string is_ours =
      folder.empty() ? "" : "test -O \"$d\" || " + fails("$d is of another user") + "; chmod go-w \"$d\"; ";
  return in_quotes(beginning(copy, folder) + "LC_ALL=C; export LC_ALL; umask 077; t=$d/.coming-" +
                   std::string(token) + "; mkdir -p \"$d\" || " + fails("$d cannot be made") + "; " +
                   is_ours + is_there(folder) +
                   " && exit 0; find \"$d\" -name \".coming-*\" -mtime +1 -exec rm -f {} +; "
                   "trap \"exit 1\" HUP INT TERM PIPE; u() { rm -f \"$t\"; }; trap u EXIT; "
                   "cat >\"$t\" || " +
                   fails("$t cannot be written") + "; g=$(cksum <\"$t\"); test \"$g\" = \"$w\" || " +
                   complaint(std::string(kNotWhole) + ": $g instead of $w", 1) +
                   "; chmod 500 \"$t\" || exit 1; " + is_there(folder) + " && exit 0; mv -f \"$t\" \"$f\"");
}

}  // namespace hostmesh_ssh
