// What came of a case, and of all of them. Plain values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/conformance/case.hpp"

namespace hostmesh::conformance {

// What the reason begins with for which each case but the first is skipped when the plugin cannot be used.
inline constexpr std::string_view kNotUsable = "the plugin cannot be used";

struct Event {
  Duration at{};  // since the case began
  std::string text;
};

struct Outcome {
  enum class Verdict : std::uint8_t {
    kPassed,
    kFailed,
    kSkipped,   // it does not apply, or says nothing new
    kUnusable,  // a mistake of the caller's, or a machine that has run out of something: the caller is told
                // so
  };
  const Case* which = nullptr;
  Verdict verdict = Verdict::kFailed;
  std::string expected;  // kFailed
  std::string seen;      // kFailed
  std::string why;       // kSkipped, kUnusable
  std::vector<Event> events;
  std::uint64_t events_dropped = 0;     // from the beginning; there were too many
  std::vector<std::string> last_lines;  // of what the case's process wrote to stderr
  Duration took{};

  bool failed(Level level) const { return verdict == Verdict::kFailed && which->level == level; }
};

struct Report {
  std::string subject;       // as the caller named it
  PluginDescription plugin;  // empty when it could not be asked
  std::vector<Outcome> outcomes;
  int interrupted = 0;  // by this signal, and then not all cases have ended
  Duration took{};

  std::size_t count(Outcome::Verdict verdict) const;
  std::size_t failed(Level level) const;
  bool conforms() const { return failed(Level::kMust) == 0; }
};

}  // namespace hostmesh::conformance
