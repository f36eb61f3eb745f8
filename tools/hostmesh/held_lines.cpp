#include "held_lines.hpp"

namespace hostmesh::cli {

LineSplitter::Sink HeldLines::sink_for(const Source& source) const {
  return [this, source](const Line& line) { sink_(source.first, source.second, line); };
}

void HeldLines::set_due(const Source& source, Held& held, std::optional<TimePoint> due) {
  if (held.due) due_.erase({*held.due, source});
  held.due = due;
  if (due) due_.emplace(*due, source);
}

void HeldLines::feed(Rank rank, Stream stream, ByteView bytes, TimePoint when) {
  const Source source(rank, stream);
  Held& held = held_[source];
  bool has_given = false;
  held.lines.feed(bytes, [&](const Line& line) {
    has_given = true;
    sink_(rank, stream, line);
  });
  if (held.lines.pending() == 0) return set_due(source, held, std::nullopt);
  // What is held now began to be held with these bytes, unless all of it was there before.
  if (has_given || !held.due) set_due(source, held, when + kHeldFor);
}

void HeldLines::end(Rank rank) {
  for (const Stream stream : {Stream::kStdout, Stream::kStderr}) {
    const auto found = held_.find({rank, stream});
    if (found == held_.end()) continue;
    found->second.lines.finish(sink_for(found->first));
    set_due(found->first, found->second, std::nullopt);
    held_.erase(found);
  }
}

void HeldLines::end_all() {
  while (!held_.empty()) end(held_.begin()->first.first);
}

void HeldLines::give_held(TimePoint now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    const Source source = due_.begin()->second;
    Held& held = held_.at(source);
    set_due(source, held, std::nullopt);
    held.lines.give_held(sink_for(source));
  }
}

std::optional<HeldLines::TimePoint> HeldLines::due() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

}  // namespace hostmesh::cli
