// ChildLog: the warnings of children that live, for the log of their owner.
//
// A child logs on its stderr, of which its owner keeps the last lines for a report of its end. What a child
// warns of while it goes on running would never be seen; so its log lines at warning and error are passed on
// as they come. Other text on stderr (the banner of an ssh client, the words of an actor) is not. Pure and
// bounded: the time comes in, and a child that floods is cut short.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/alloc/children.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/process/lines.hpp"

namespace hostmesh {

class ChildLog {
 public:
  using Sink = std::function<void(ChildId, log::Level, const std::string& text)>;

  // Per child and for all of them together: so many lines at once, and then so many a second.
  static constexpr double kBurst = 20;
  static constexpr double kRate = 1;
  static constexpr double kBurstOfAll = 200;
  static constexpr double kRateOfAll = 10;
  static constexpr std::size_t kMaxLine = 2048;  // bytes

  explicit ChildLog(Sink sink) : sink_(std::move(sink)) {}

  // Whether a child has come to run.
  enum class HasRun : std::uint8_t { kNo, kYes };
  // Bytes on a child's stderr. Until it runs they are only remembered: the report of a failed start has them.
  void feed(ChildId child, HasRun has_run, ByteView bytes, TimePoint now);
  // It runs: passes on what is remembered.
  void running(ChildId child, TimePoint now);
  // Says how many lines were left out, and forgets the child.
  void ended(ChildId child);

 private:
  class Budget {
   public:
    Budget(double burst, double rate) : burst_(burst), rate_(rate), left_(burst) {}
    bool has_some(TimePoint now);
    void take() { left_ -= 1; }

   private:
    double burst_;
    double rate_;
    double left_;
    TimePoint filled_{};
  };
  struct Record {
    log::Level level;
    std::string text;
  };
  struct Child {
    LineSplitter lines{kMaxLine};
    bool is_inside_long_line = false;
    bool has_run = false;
    std::vector<Record> early;
    Budget budget{kBurst, kRate};
    std::uint64_t left_out = 0;
  };

  void add(ChildId id, Child& child, const Line& line, TimePoint now);
  void pass(ChildId id, Child& child, const Record& record, TimePoint now);
  void tell_left_out(ChildId id, Child& child);

  const Sink sink_;
  std::map<ChildId, Child> children_;  // those that have written something
  Budget all_{kBurstOfAll, kRateOfAll};
};

}  // namespace hostmesh
