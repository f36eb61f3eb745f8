// Reply<R>: the right, and the duty, to answer one call.
//
// A handler that cannot answer yet keeps it and answers later, from any thread. Whatever happens to it, the
// caller gets one answer: a Reply that is dropped answers with an error.
#pragma once

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "hostmesh/actor/ids.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/wire/codec.hpp"

namespace hostmesh {

namespace detail {

struct Cell;

// The untyped half. Empty when nobody waits: the message was sent, not called.
class ReplyToken {
 public:
  struct State;
  ReplyToken();
  explicit ReplyToken(std::unique_ptr<State> state);
  ReplyToken(ReplyToken&&) noexcept;
  ReplyToken& operator=(ReplyToken&&) noexcept;
  ~ReplyToken();

  explicit operator bool() const { return state_ != nullptr; }
  // Each uses the token up; on an empty one they do nothing.
  void answer(Bytes payload);
  void fail(const Error& error);
  // From here on the answer is this actor's to give: its end is the answer too.
  void owe(const std::shared_ptr<Cell>& cell);

 private:
  std::unique_ptr<State> state_;
};

// R may be void: the answer says only that it is done.
template <class R>
Result<R> decode_reply(Result<Bytes> payload) {
  if (!payload) return std::move(payload).error();
  if constexpr (std::is_void_v<R>) {
    return {};
  } else {
    return wire::decode<R>(*payload);
  }
}

}  // namespace detail

// Move-only. Answering twice is a mistake that changes nothing.
template <class R>
class Reply {
 public:
  Reply() = default;  // answers nobody
  explicit Reply(detail::ReplyToken token) : token_(std::move(token)) {}
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&&) noexcept = default;

  void operator()(const R& value) { token_.answer(wire::encode(value)); }
  void fail(const Error& error) { token_.fail(error); }
  // False once answered, and when the message was sent rather than called.
  bool is_awaited() const { return static_cast<bool>(token_); }

 private:
  detail::ReplyToken token_;
};

template <>
class Reply<void> {
 public:
  Reply() = default;
  explicit Reply(detail::ReplyToken token) : token_(std::move(token)) {}
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&&) noexcept = default;

  void operator()() { token_.answer({}); }
  void fail(const Error& error) { token_.fail(error); }
  bool is_awaited() const { return static_cast<bool>(token_); }

 private:
  detail::ReplyToken token_;
};

}  // namespace hostmesh
