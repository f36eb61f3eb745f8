// Writer and Reader: the primitive encodings on which wire/codec.hpp builds those of messages.
//
// Both are short-lived views on the caller's bytes. The Reader stops at the first failure and keeps its
// reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hostmesh/base/result.hpp"
#include "hostmesh/base/secret.hpp"

namespace hostmesh::wire {

class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}

  // The low `size` bytes, least significant first.
  void integer(std::uint64_t value, std::size_t size);
  void real(double value);
  // u32 length and the bytes. Over 4 GiB is a bug of the caller.
  void text(std::string_view text);
  void bytes(ByteView bytes);
  void raw(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void count(std::size_t count);

  // Between the two come the fields; the length is filled in at the end.
  std::size_t begin_struct();
  void end_struct(std::size_t start);

 private:
  Bytes& out_;
};

class Reader {
 public:
  // Structs and sequences within each other; only types that contain themselves can reach it.
  static constexpr unsigned kMaxDepth = 64;

  explicit Reader(ByteView bytes) : bytes_(bytes), end_(bytes.size()) {}

  // Bytes up to the end of the innermost struct.
  std::size_t remaining() const { return end_ - position_; }

  bool integer(std::uint64_t& value, std::size_t size);
  bool boolean(bool& value);
  bool real(double& value);
  // u8 length and that many bytes of value; it must fit in `size` bytes of an integer of that signedness.
  bool enumeration(std::uint64_t& value, std::size_t size, bool is_signed);
  bool text(std::string& text);
  bool bytes(Bytes& bytes);
  bool raw(ByteView& bytes, std::size_t size);

  // Every element takes at least one byte, so a count over remaining() is refused here.
  bool enter_sequence(std::uint32_t& count);
  void leave_sequence() { --depth_; }

  struct Outer {
    std::size_t end = 0;
  };
  // Narrows remaining() to the struct; leaving skips what was not read of it.
  bool enter_struct(Outer& outer);
  void leave_struct(Outer outer);

  // Always false. The first reason stays.
  bool fail(std::string_view why);
  // Cause::kProtocol, naming what was being read and where it went wrong.
  Error error(std::string_view what) const;

 private:
  bool enter();

  ByteView bytes_;
  std::size_t position_ = 0;
  std::size_t end_;
  unsigned depth_ = 0;
  std::string why_;
};

}  // namespace hostmesh::wire
