#include "hostmesh/wire/stream.hpp"

#include <bit>
#include <limits>

namespace hostmesh::wire {

void Writer::integer(std::uint64_t value, std::size_t size) {
  for (; size > 0; --size, value >>= 8) out_.push_back(static_cast<std::uint8_t>(value));
}

void Writer::real(double value) {
  integer(std::bit_cast<std::uint64_t>(value), 8);
}

void Writer::count(std::size_t count) {
  HOSTMESH_ASSERT(count <= std::numeric_limits<std::uint32_t>::max(), "a message field over 4 GiB");
  integer(count, 4);
}

void Writer::text(std::string_view text) {
  count(text.size());
  out_.insert(out_.end(), text.begin(), text.end());
}

void Writer::bytes(ByteView bytes) {
  count(bytes.size());
  raw(bytes);
}

std::size_t Writer::begin_struct() {
  integer(0, 4);
  return out_.size();
}

void Writer::end_struct(std::size_t start) {
  std::size_t length = out_.size() - start;
  HOSTMESH_ASSERT(length <= std::numeric_limits<std::uint32_t>::max(), "a message over 4 GiB");
  for (std::size_t i = start - 4; i < start; ++i, length >>= 8) out_[i] = static_cast<std::uint8_t>(length);
}

bool Reader::raw(ByteView& bytes, std::size_t size) {
  if (size > remaining()) return fail("it ends too early");
  bytes = bytes_.subspan(position_, size);
  position_ += size;
  return true;
}

bool Reader::integer(std::uint64_t& value, std::size_t size) {
  ByteView raw_bytes;
  if (!raw(raw_bytes, size)) return false;
  value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | raw_bytes[i];
  return true;
}

bool Reader::boolean(bool& value) {
  std::uint64_t byte = 0;
  if (!integer(byte, 1)) return false;
  if (byte > 1) return fail("a truth value is neither 0 nor 1");
  value = byte == 1;
  return true;
}

bool Reader::real(double& value) {
  std::uint64_t bits = 0;
  if (!integer(bits, 8)) return false;
  value = std::bit_cast<double>(bits);
  return true;
}

bool Reader::enumeration(std::uint64_t& value, std::size_t size, bool is_signed) {
  std::uint64_t length = 0;
  if (!integer(length, 1)) return false;
  if (length != 1 && length != 2 && length != 4 && length != 8)
    return fail("an enumeration of impossible size");
  if (!integer(value, length)) return false;
  const unsigned bits = static_cast<unsigned>(8 * length);
  if (is_signed && bits < 64 && (value >> (bits - 1) & 1) != 0) value |= ~std::uint64_t{0} << bits;
  if (length <= size) return true;
  const std::uint64_t above = value >> (8 * size - 1);  // the sign bit of the smaller type, and all over it
  const bool fits = is_signed ? above == 0 || above == ~std::uint64_t{0} >> (8 * size - 1) : above <= 1;
  return fits || fail("an enumeration value is too large for this version");
}

bool Reader::text(std::string& text) {
  std::uint64_t length = 0;
  ByteView raw_bytes;
  if (!integer(length, 4) || !raw(raw_bytes, length)) return false;
  text.assign(raw_bytes.begin(), raw_bytes.end());
  return true;
}

bool Reader::bytes(Bytes& bytes) {
  std::uint64_t length = 0;
  ByteView raw_bytes;
  if (!integer(length, 4) || !raw(raw_bytes, length)) return false;
  bytes.assign(raw_bytes.begin(), raw_bytes.end());
  return true;
}

bool Reader::enter() {
  return ++depth_ <= kMaxDepth || fail("it is nested too deeply");
}

bool Reader::enter_sequence(std::uint32_t& count) {
  std::uint64_t value = 0;
  if (!integer(value, 4)) return false;
  if (value > remaining()) return fail("a count is larger than the bytes that follow");
  count = static_cast<std::uint32_t>(value);
  return enter();
}

bool Reader::enter_struct(Outer& outer) {
  std::uint64_t length = 0;
  if (!integer(length, 4)) return false;
  if (length > remaining()) return fail("a struct is longer than the bytes that follow");
  outer.end = end_;
  end_ = position_ + length;
  return enter();
}

void Reader::leave_struct(Outer outer) {
  position_ = end_;
  end_ = outer.end;
  --depth_;
}

bool Reader::fail(std::string_view why) {
  if (why_.empty()) why_ = why;
  return false;
}

Error Reader::error(std::string_view what) const {
  return Error(Cause::kProtocol, "cannot decode " + std::string(what) + ": " + why_ + ", at byte " +
                                     std::to_string(position_) + " of " + std::to_string(bytes_.size()));
}

}  // namespace hostmesh::wire
