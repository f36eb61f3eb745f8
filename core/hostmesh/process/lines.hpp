// Lines out of a stream of bytes: whole as they come (LineSplitter), or the last few for an error message
// (LineTail).
//
// Pure and bounded: whatever is fed, memory stays below a limit given at the start.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/base/secret.hpp"
#include "hostmesh/base/text.hpp"

namespace hostmesh {

// One line, or a piece of one that is too long. Valid during the call that hands it out.
struct Line {
  std::string_view text;   // without '\n'; any bytes
  bool continued = false;  // the line goes on in the next piece
};

class LineSplitter {
 public:
  static constexpr std::size_t kDefaultMaxLine = 64 * 1024;  // bytes
  using Sink = std::function<void(const Line&)>;

  explicit LineSplitter(std::size_t max_line = kDefaultMaxLine);

  // Gives each line that is complete to `sink`, and pieces of one longer than max_line; pieces end at the
  // border of a UTF-8 character where there is one.
  void feed(ByteView chunk, const Sink& sink);
  // Gives out what is held back for want of a '\n' as a piece of a line that goes on, but for a UTF-8
  // character of which the rest is still to come.
  void give_held(const Sink& sink);
  // The end of the stream: gives out a last line that has no '\n', or the empty end of one whose pieces are
  // all given out. Afterwards it is as new.
  void finish(const Sink& sink);
  // Bytes held back for want of a '\n'.
  std::size_t pending() const { return pending_.size(); }

 private:
  void give_piece(const Sink& sink);

  std::size_t max_line_;
  std::string pending_;
  bool goes_on_ = false;  // the last piece given out was not the end of its line
};

// The last non-empty lines, fit for people: valid UTF-8, each at most 4 KiB with a mark where it was cut.
class LineTail {
 public:
  static constexpr std::size_t kMaxLineBytes = 4096;

  explicit LineTail(std::size_t max_lines = 20);

  void feed(ByteView chunk);
  // Oldest first; an unfinished last line is included.
  std::vector<std::string> lines() const;

 private:
  void add(const Line& piece);
  static std::string readable(std::string_view line, std::size_t cut);

  std::size_t max_lines_;
  LineSplitter splitter_;
  std::deque<std::string> lines_;
  std::string current_;           // the start of a line that comes in pieces
  std::size_t current_size_ = 0;  // of the whole line, bytes
};

}  // namespace hostmesh
