// Stage: what a case works with: the subject, the time it has, what it checks, and the record of events that
// is shown when it fails.
//
// Lives in the process of its case. A check that does not hold ends the case at once.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/conformance/case.hpp"
#include "hostmesh/conformance/subject.hpp"
#include "hostmesh/process/child_launcher.hpp"
#include "hostmesh/process/child_registry.hpp"

namespace hostmesh::conformance {

// How a case ended that did not pass; thrown by checks, caught by who runs the case.
struct Failure {
  std::string expected;
  std::string seen;
};
struct Skip {
  std::string why;
};

class Stage {
 public:
  // `record` is called for each event, one at a time, from any thread; it must be quick.
  using Record = std::function<void(Duration since_start, const std::string& event)>;
  Stage(const Case& which, Chosen chosen, double patience, Record record);

  const Case& which() const { return which_; }
  // The plugin's file and the options that were set, for cases about loading.
  const Chosen& chosen() const { return chosen_; }
  // Loads the plugin when it is first asked for. What keeps it from being used ends the case: in the
  // caller's options as a mistake of theirs (an Error), else as a failure.
  const Subject& subject();
  const PluginDescription& plugin() { return subject().plugin->description(); }

  // Who of the case's children has an owner.
  const std::shared_ptr<ChildRegistry>& registry() const { return registry_; }

  Deadline deadline() const { return deadline_; }
  // A duration on a machine of ordinary speed, times what --patience says about this one; never beyond the
  // case's deadline.
  Deadline within(Duration usual) const;
  Duration scaled(Duration usual) const;

  // A launch of the payload program, with the smallest environment, which has the scenario as the arguments
  // do. See payload/main.cpp for the scenarios.
  LaunchRequest payload(std::vector<std::string> scenario) const;

  // Any thread. What happened; becomes one line.
  void note(const std::string& event);

  [[noreturn]] void fail(const std::string& expected, const std::string& seen) const;
  [[noreturn]] void skip(const std::string& why) const;
  void expect(bool holds, const std::string& expected, const std::string& seen) const {
    if (!holds) fail(expected, seen);
  }
  // "<what> is <wanted>".
  template <class Seen, class Wanted>
  void equal(const std::string& what, const Seen& seen, const Wanted& wanted) const {
    if (!(seen == wanted)) fail(what + " is " + shown(wanted), shown(seen));
  }

 private:
  template <class T>
  static std::string shown(const T& value) {
    if constexpr (requires { value.text(); }) {
      return value.text();
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
      return quoted(value);
    } else {
      std::ostringstream out;
      out << value;
      return out.str();
    }
  }
  static std::string quoted(std::string_view text);

  const Case& which_;
  const Chosen chosen_;
  const double patience_;
  const TimePoint start_ = Clock::now();
  const Deadline deadline_;
  const Record record_;
  const std::shared_ptr<ChildRegistry> registry_ = std::make_shared<ChildRegistry>();
  std::mutex mutex_;
  Subject subject_;
};

// One line of ASCII: newlines as \n, other bytes as \xNN.
std::string printable(std::string_view text);

// Programs of this installation or build tree: "libexec/hostmesh/hostmesh-payload", "bin/hostmesh-bootstrap".
std::filesystem::path installed_program(std::string_view path);

}  // namespace hostmesh::conformance
