// HeldLines: what the commands write, in lines. Pure: the time comes in.
//
// A line whose end does not come, such as a prompt or a progress bar, is held back for a moment only and then
// given out as a piece that goes on.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "hostmesh/base/ids.hpp"
#include "hostmesh/process/lines.hpp"
#include "hostmesh/process/stdio.hpp"

namespace hostmesh::cli {

class HeldLines {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Sink = std::function<void(Rank, Stream, const Line&)>;

  // How long the start of a line waits for the rest.
  static constexpr std::chrono::milliseconds kHeldFor{200};

  explicit HeldLines(Sink sink) : sink_(std::move(sink)) {}

  void feed(Rank rank, Stream stream, ByteView bytes, TimePoint when);
  // The rank writes no more.
  void end(Rank rank);
  void end_all();
  // Gives out what has been held for kHeldFor.
  void give_held(TimePoint now);
  // When give_held() has something to do; nothing while nothing is held.
  std::optional<TimePoint> due() const;

 private:
  using Source = std::pair<Rank, Stream>;
  struct Held {
    LineSplitter lines;
    std::optional<TimePoint> due;  // its entry in due_
  };

  void set_due(const Source& source, Held& held, std::optional<TimePoint> due);
  LineSplitter::Sink sink_for(const Source& source) const;

  const Sink sink_;
  std::map<Source, Held> held_;
  std::set<std::pair<TimePoint, Source>> due_;
};

}  // namespace hostmesh::cli
