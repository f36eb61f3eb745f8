// The table of transitions: each situation that a child can be in, with each event.
#include <gtest/gtest.h>

#include <array>

#include "alloc/recorder.hpp"

namespace hostmesh::test {
namespace {

constexpr std::array<std::string_view, 11> kEvents{"launched", "failed", "exited",       "hello",
                                                   "started",  "heard",  "disconnected", "violated",
                                                   "stop",     "kill",   "deadline"};

// What is done, and where that leads; "" and "=": nothing, the same phase.
struct Cell {
  std::string_view actions;
  std::string_view next;
};

struct Row {
  std::string_view situation;
  ChildKind kind;
  std::vector<std::string_view> before;
  std::string_view phase;
  std::array<Cell, kEvents.size()> cells;  // as kEvents
};

constexpr Cell kNothing{"", "="};
constexpr Cell kEnds{"stopped", "stopped"};
constexpr Cell kLost{"eof KILL stopped", "stopped"};  // it may be alive all the same
constexpr Cell kKills{"eof KILL", "stop"};
constexpr Cell kCancels{"eof KILL", "="};  // the launch that is under way
constexpr Cell kTooLate{"eof KILL", "="};  // a launch that had been given up
constexpr Cell kWaits{"eof", "stop"};
constexpr Cell kNoAlarm{"none", "="};
constexpr auto kProtocol = ChildKind::kProtocol;
constexpr auto kPlain = ChildKind::kPlain;

const std::vector<Row>& rows() {
  // clang-format off
  static const std::vector<Row> all{
      // situation                     kind       events before                                   phase
      //   launched                      failed                       exited                         hello                started
      //   heard     disconnected  violated     stop                  kill      deadline
      {"launching",                    kProtocol, {},                                             "launch",
       {{{"created", "hello"},          {"failed", "stopped"},       {"created stopped", "stopped"}, kNothing,            kCancels,
         kNothing,   kNothing,     kCancels,    {"eof TERM", "="},    kCancels, {"eof KILL failed", "stopped"}}}},
      {"launching plain",              kPlain,    {},                                             "launch",
       {{{"created running", "run"},    {"failed", "stopped"},       {"created stopped", "stopped"}, kNothing,            kNothing,
         kNothing,   kNothing,     kCancels,    {"eof TERM", "="},    kCancels, {"eof KILL failed", "stopped"}}}},
      {"waiting",                      kProtocol, {"waiting"},                                    "queue",
       {{{"created", "hello"},          {"failed", "stopped"},       {"created stopped", "stopped"}, kNothing,            kCancels,
         kNothing,   kNothing,     kCancels,    {"eof TERM", "="},    kCancels, kNoAlarm}}},
      {"waiting, to be stopped",       kProtocol, {"waiting", "stop"},                            "queue",
       {{{"created", "stop"},           {"failed", "stopped"},       {"created stopped", "stopped"}, {"stop", "="},       kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kCancels, kCancels}}},
      {"waiting, to be killed",        kProtocol, {"waiting", "kill"},                            "queue",
       {{{"created eof KILL", "stop"},           {"failed", "stopped"},       {"created stopped", "stopped"}, {"stop", "="},       kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kNothing, {"failed", "stopped"}}}},
      {"placed",                       kPlain,    {"waiting", "placed"},                          "launch",
       {{{"created running", "run"},    {"failed", "stopped"},       {"created stopped", "stopped"}, kNothing,            kNothing,
         kNothing,   kNothing,     kCancels,    {"eof TERM", "="},    kCancels, {"eof KILL failed", "stopped"}}}},
      {"launching, Hello first",       kProtocol, {"hello"},                                      "launch",
       {{{"created start", "start"},    {"stop failed", "stopped"},  {"created stopped", "stopped"}, kNothing,            kCancels,
         kNothing,   kNothing,     kCancels,    {"stop", "="},        kCancels, {"eof KILL stop failed", "stopped"}}}},
      {"launching, Hello and gone",    kProtocol, {"hello", "disconnected"},                      "launch",
       {{{"created eof", "stop"},       {"stop failed", "stopped"},  {"created stopped", "stopped"}, kNothing,            kCancels,
         kNothing,   kNothing,     kCancels,    {"eof TERM", "="},    kCancels, {"eof KILL stop failed", "stopped"}}}},
      {"launching, in breach",         kProtocol, {"violated"},                                   "launch",
       {{{"created eof KILL", "stop"},           {"failed", "stopped"},       {"created stopped", "stopped"}, {"stop", "="},       kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kNothing, {"failed", "stopped"}}}},
      {"launching, to be stopped",     kProtocol, {"stop"},                                       "launch",
       {{{"created", "stop"},           {"failed", "stopped"},       {"created stopped", "stopped"}, {"stop", "="},       kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kCancels, kCancels}}},
      {"launching, Hello, then stop",  kProtocol, {"hello", "stop"},                              "launch",
       {{{"created", "stop"},           {"failed", "stopped"},       {"created stopped", "stopped"}, kNothing,            kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kCancels, {"eof TERM", "="}}}},
      {"launching plain, to be stopped", kPlain,  {"stop"},                                       "launch",
       {{{"created", "stop"},           {"failed", "stopped"},       {"created stopped", "stopped"}, kNothing,            kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kCancels, kCancels}}},
      {"launching, to be killed",      kProtocol, {"stop", "kill"},                               "launch",
       {{{"created eof KILL", "stop"},           {"failed", "stopped"},       {"created stopped", "stopped"}, {"stop", "="},       kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kNothing, {"failed", "stopped"}}}},
      {"created",                      kProtocol, {"launched"},                                   "hello",
       {{kNothing,                      kLost,                       kEnds,                          {"start", "start"},  kKills,
         kNothing,   kWaits,       kKills,      {"eof TERM", "stop"}, kKills,   kKills}}},
      {"connected",                    kProtocol, {"launched", "hello"},                          "start",
       {{kNothing,                      kLost,                       kEnds,                          kNothing,            {"running", "run"},
         kNothing,   kWaits,       kKills,      {"stop", "stop"},     kKills,   kKills}}},
      {"running",                      kProtocol, {"launched", "hello", "started"},               "run",
       {{kNothing,                      kLost,                       kEnds,                          kNothing,            kKills,
         kNothing,   kWaits,       kKills,      {"stop", "stop"},     kKills,   kKills}}},
      {"running plain",                kPlain,    {"launched"},                                   "run",
       {{kNothing,                      kLost,                       kEnds,                          kNothing,            kNothing,
         kNothing,   kWaits,       kKills,      {"eof TERM", "stop"}, kKills,   kNoAlarm}}},
      {"asked to exit",                kProtocol, {"launched", "hello", "started", "stop"},       "stop",
       {{kNothing,                      kLost,                       kEnds,                          kNothing,            kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kKills,   {"eof TERM", "stop"}}}},
      {"gone from its connection",     kProtocol, {"launched", "hello", "disconnected"},          "stop",
       {{kNothing,                      kLost,                       kEnds,                          kNothing,            kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kKills,   {"eof TERM", "stop"}}}},
      {"sent TERM before Hello",       kProtocol, {"launched", "stop"},                           "stop",
       {{kNothing,                      kLost,                       kEnds,                          {"stop", "stop"},    kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kKills,   kKills}}},
      {"sent TERM plain",              kPlain,    {"launched", "stop"},                           "stop",
       {{kNothing,                      kLost,                       kEnds,                          kNothing,            kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kKills,   kKills}}},
      {"sent KILL",                    kProtocol, {"launched", "hello", "kill"},                  "stop",
       {{kNothing,                      kLost,                       kEnds,                          kNothing,            kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kNothing, kEnds}}},
      {"sent KILL before Hello",       kProtocol, {"launched", "kill"},                           "stop",
       {{kNothing,                      kLost,                       kEnds,                          {"stop", "stop"},    kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kNothing, kEnds}}},
      {"stopped",                      kProtocol, {"launched", "hello", "exited"},                "stopped",
       {{kTooLate,                      kNothing,                    kNothing,                       kNothing,            kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kNothing, kNoAlarm}}},
      {"failed",                       kProtocol, {"failed"},                                     "stopped",
       {{kTooLate,                      kNothing,                    kNothing,                       kNothing,            kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kNothing, kNoAlarm}}},
      {"given up while launching",     kPlain,    {"deadline"},                                   "stopped",
       {{kTooLate,                      kNothing,                    kNothing,                       kNothing,            kNothing,
         kNothing,   kNothing,     kNothing,    kNothing,             kNothing, kNoAlarm}}},
  };
  // clang-format on
  return all;
}

TEST(ChildMachineTable, EveryEventDoesInEverySituationWhatTheTableSays) {
  for (const Row& row : rows()) {
    for (std::size_t i = 0; i < kEvents.size(); ++i) {
      SCOPED_TRACE(std::string(row.situation) + ", " + std::string(kEvents[i]));
      Bench bench(row.kind);
      bench.all(row.before);
      ASSERT_EQ(to_string(bench.machine.phase()), row.phase);
      const Cell& cell = row.cells[i];
      EXPECT_EQ(bench.on(kEvents[i]), cell.actions);
      EXPECT_EQ(to_string(bench.machine.phase()), cell.next == "=" ? row.phase : cell.next);
    }
  }
}

TEST(ChildMachineTable, EveryEventAfterTheEndLeavesTheEnd) {
  for (const Row& row : rows()) {
    if (row.phase != "stopped") continue;
    for (const std::string_view event : kEvents) {
      SCOPED_TRACE(std::string(row.situation) + ", " + std::string(event));
      Bench bench(row.kind);
      bench.all(row.before);
      bench.on(event);
      EXPECT_TRUE(bench.machine.ended());
      EXPECT_TRUE(bench.machine.deadline().is_never());
    }
  }
}

}  // namespace
}  // namespace hostmesh::test
