// Encoding of messages: plain aggregates to bytes and back, field by field, with nothing written by hand.
//
// Every struct carries its length, so that an old reader skips fields it does not know and a new reader
// defaults fields that are missing; docs/protocol.md has the exact rules. Pure functions for any thread.
#pragma once

#include <array>
#include <boost/pfr/core.hpp>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "hostmesh/base/result.hpp"
#include "hostmesh/base/secret.hpp"
#include "hostmesh/wire/message.hpp"
#include "hostmesh/wire/stream.hpp"

namespace hostmesh::wire {

// Travels as its text. The empty text stands for the default-constructed value if that is its text.
template <class T>
concept TextValue = std::default_initializable<T> && requires(const T& value, std::string_view text) {
  { value.text() } -> std::convertible_to<std::string>;
  { T::parse(text) } -> std::same_as<Result<T>>;
};

template <class T>
void write(Writer& out, const T& value);
// False after a failure, which `in` then knows; `value` is then valid but unspecified.
template <class T>
bool read(Reader& in, T& value);

template <class T>
void encode_into(Bytes& out, const T& value) {
  Writer writer(out);
  write(writer, value);
}

template <class T>
Bytes encode(const T& value) {
  Bytes out;
  encode_into(out, value);
  return out;
}

// Cause::kProtocol when `bytes` are not exactly one encoding of a T. Memory grows only with bytes that are
// there.
template <class T>
Result<T> decode(ByteView bytes) {
  static_assert(!std::is_same_v<T, Error>, "a Result<Error> cannot tell the two apart: decode an ErrorInfo");
  Reader reader(bytes);
  T value{};
  if (!read(reader, value)) return reader.error(message_name<T>());
  if (reader.remaining() != 0) {
    reader.fail("bytes are left over");
    return reader.error(message_name<T>());
  }
  return value;
}

namespace detail {

template <class T, template <class...> class Template>
inline constexpr bool is_a = false;
template <template <class...> class Template, class... Args>
inline constexpr bool is_a<Template<Args...>, Template> = true;

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t N>
inline constexpr bool is_std_array<std::array<T, N>> = true;

template <class T>
inline constexpr bool is_duration = false;
template <class Rep, class Period>
inline constexpr bool is_duration<std::chrono::duration<Rep, Period>> = true;

template <class T>
inline constexpr bool is_scoped_enum = std::is_enum_v<T> && !std::is_convertible_v<T, int>;

template <class T>
inline constexpr bool always_false = false;

template <class T>
void write_fields(Writer& out, const T& value) {
  if constexpr (is_a<T, std::tuple>) {
    std::apply([&out](const auto&... field) { (write(out, field), ...); }, value);
  } else if constexpr (!std::is_empty_v<T>) {
    boost::pfr::for_each_field(value, [&out](const auto& field) { write(out, field); });
  }
}

// A field that begins at the end of its struct is missing and keeps its default.
template <class T>
bool read_fields(Reader& in, T& value) {
  bool good = true;
  const auto one = [&](auto& field) {
    if (good && in.remaining() != 0) good = read(in, field);
  };
  if constexpr (is_a<T, std::tuple>) {
    std::apply([&one](auto&... field) { (one(field), ...); }, value);
  } else if constexpr (!std::is_empty_v<T>) {
    boost::pfr::for_each_field(value, one);
  }
  return good;
}

template <std::size_t I = 0, class... Alternatives>
bool read_alternative(Reader& in, std::variant<Alternatives...>& value, std::size_t index) {
  if constexpr (I == sizeof...(Alternatives)) {
    return in.fail("a variant holds an alternative that is not known");
  } else {
    if (index != I) return read_alternative<I + 1>(in, value, index);
    return read(in, value.template emplace<I>());
  }
}

template <class T>
void write_duration(Writer& out, const T& value) {
  using std::chrono::nanoseconds;
  constexpr auto highest = std::chrono::duration_cast<T>(nanoseconds::max());
  constexpr auto lowest = std::chrono::duration_cast<T>(nanoseconds::min());
  const nanoseconds ns = value > highest  ? nanoseconds::max()
                         : value < lowest ? nanoseconds::min()
                                          : std::chrono::duration_cast<nanoseconds>(value);
  out.integer(static_cast<std::uint64_t>(ns.count()), 8);
}

}  // namespace detail

template <class T>
void write(Writer& out, const T& value) {
  using namespace detail;
  if constexpr (std::is_same_v<T, bool>) {
    out.integer(value ? 1 : 0, 1);
  } else if constexpr (std::is_integral_v<T>) {
    out.integer(static_cast<std::uint64_t>(value), sizeof(T));
  } else if constexpr (std::is_same_v<T, double>) {
    out.real(value);
  } else if constexpr (std::is_enum_v<T>) {
    static_assert(is_scoped_enum<T>, "messages have enum class fields only");
    out.integer(sizeof(T), 1);
    out.integer(static_cast<std::uint64_t>(static_cast<std::underlying_type_t<T>>(value)), sizeof(T));
  } else if constexpr (std::is_same_v<T, std::string>) {
    out.text(value);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    out.bytes(value);
  } else if constexpr (std::is_same_v<T, Secret>) {
    out.raw(value.bytes());
  } else if constexpr (std::is_same_v<T, Error>) {
    write(out, value.info());
  } else if constexpr (TextValue<T>) {
    out.text(std::string(value.text()));
  } else if constexpr (is_duration<T>) {
    write_duration(out, value);
  } else if constexpr (is_a<T, std::vector>) {
    out.count(value.size());
    for (const typename T::value_type& element : value) write(out, element);
  } else if constexpr (is_std_array<T>) {
    static_assert(std::tuple_size_v<T> != 0, "an empty array has no encoding");
    for (const auto& element : value) write(out, element);
  } else if constexpr (is_a<T, std::optional>) {
    out.integer(value ? 1 : 0, 1);
    if (value) write(out, *value);
  } else if constexpr (is_a<T, std::map>) {
    out.count(value.size());
    for (const auto& [key, mapped] : value) {
      write(out, key);
      write(out, mapped);
    }
  } else if constexpr (is_a<T, std::pair>) {
    write(out, value.first);
    write(out, value.second);
  } else if constexpr (is_a<T, std::variant>) {
    static_assert(std::variant_size_v<T> <= 255);
    out.integer(value.index(), 1);
    std::visit([&out](const auto& alternative) { write(out, alternative); }, value);
  } else if constexpr (std::is_aggregate_v<T> || is_a<T, std::tuple>) {
    const std::size_t start = out.begin_struct();
    write_fields(out, value);
    out.end_struct(start);
  } else {
    static_assert(always_false<T>,
                  "this type has no encoding: make it an aggregate, or give it text() and parse()");
  }
}

template <class T>
bool read(Reader& in, T& value) {
  using namespace detail;
  if constexpr (std::is_same_v<T, bool>) {
    return in.boolean(value);
  } else if constexpr (std::is_integral_v<T>) {
    std::uint64_t bits = 0;
    if (!in.integer(bits, sizeof(T))) return false;
    value = static_cast<T>(bits);
    return true;
  } else if constexpr (std::is_same_v<T, double>) {
    return in.real(value);
  } else if constexpr (std::is_enum_v<T>) {
    using Underlying = std::underlying_type_t<T>;
    std::uint64_t bits = 0;
    if (!in.enumeration(bits, sizeof(T), std::is_signed_v<Underlying>)) return false;
    value = static_cast<T>(static_cast<Underlying>(bits));
    return true;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return in.text(value);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return in.bytes(value);
  } else if constexpr (std::is_same_v<T, Secret>) {
    ByteView raw;
    if (!in.raw(raw, Secret::kSize)) return false;
    value = Secret(raw.template first<Secret::kSize>());
    return true;
  } else if constexpr (std::is_same_v<T, Error>) {
    ErrorInfo info;
    if (!read(in, info)) return false;
    value = Error(std::move(info));
    return true;
  } else if constexpr (TextValue<T>) {
    std::string text;
    if (!in.text(text)) return false;
    if (text.empty() && std::string(T{}.text()).empty()) {
      value = T{};
      return true;
    }
    auto parsed = T::parse(text);
    if (!parsed) return in.fail(parsed.error().text());
    value = *std::move(parsed);
    return true;
  } else if constexpr (is_duration<T>) {
    std::uint64_t bits = 0;
    if (!in.integer(bits, 8)) return false;
    value = std::chrono::duration_cast<T>(std::chrono::nanoseconds(static_cast<std::int64_t>(bits)));
    return true;
  } else if constexpr (is_a<T, std::vector>) {
    std::uint32_t count = 0;
    if (!in.enter_sequence(count)) return false;
    value.clear();
    for (; count > 0; --count) {
      typename T::value_type element{};
      if (!read(in, element)) return false;
      value.push_back(std::move(element));
    }
    in.leave_sequence();
    return true;
  } else if constexpr (is_std_array<T>) {
    for (auto& element : value) {
      if (!read(in, element)) return false;
    }
    return true;
  } else if constexpr (is_a<T, std::optional>) {
    bool present = false;
    if (!in.boolean(present)) return false;
    if (!present) {
      value.reset();
      return true;
    }
    return read(in, value.emplace());
  } else if constexpr (is_a<T, std::map>) {
    std::uint32_t count = 0;
    if (!in.enter_sequence(count)) return false;
    value.clear();
    for (; count > 0; --count) {
      typename T::key_type key{};
      typename T::mapped_type mapped{};
      if (!read(in, key) || !read(in, mapped)) return false;
      if (!value.emplace(std::move(key), std::move(mapped)).second)
        return in.fail("a key appears twice in a map");
    }
    in.leave_sequence();
    return true;
  } else if constexpr (is_a<T, std::pair>) {
    return read(in, value.first) && read(in, value.second);
  } else if constexpr (is_a<T, std::variant>) {
    std::uint64_t index = 0;
    return in.integer(index, 1) && read_alternative(in, value, index);
  } else if constexpr (std::is_aggregate_v<T> || is_a<T, std::tuple>) {
    Reader::Outer outer;
    if (!in.enter_struct(outer)) return false;
    if (!read_fields(in, value)) return false;
    in.leave_struct(outer);
    return true;
  } else {
    static_assert(always_false<T>,
                  "this type has no encoding: make it an aggregate, or give it text() and parse()");
  }
}

}  // namespace hostmesh::wire
