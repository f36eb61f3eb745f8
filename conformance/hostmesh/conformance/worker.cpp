#include "hostmesh/conformance/worker.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <csignal>
#include <exception>
#include <mutex>
#include <utility>

#include "hostmesh/conformance/leftovers.hpp"
#include "hostmesh/conformance/stage.hpp"
#include "hostmesh/process/descendants.hpp"

namespace hostmesh::conformance {

namespace {

namespace json = boost::json;

// How long what a case has started may live on after it, when nothing is wrong.
constexpr Duration kToEnd = std::chrono::seconds(2);
constexpr Duration kToDie = std::chrono::seconds(2);

// The way to the driver. Plugins and their children that write to stdout write to stderr instead.
class Line {
 public:
  Line() : fd_(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) {
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
  }
  // Any thread.
  void say(const json::object& what) {
    const std::string line = json::serialize(what) + "\n";
    const std::lock_guard lock(mutex_);
    for (std::size_t at = 0; at < line.size();) {
      const ssize_t written = ::write(fd_, line.data() + at, line.size() - at);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) ::_exit(1);  // nobody listens any more
      at += static_cast<std::size_t>(written);
    }
  }

 private:
  const int fd_;
  std::mutex mutex_;
};

struct Result {
  std::string_view verdict = "passed";
  std::string expected;
  std::string seen;
  std::string why;
};

Result failed(const std::string& expected, const std::string& seen) {
  return {.verdict = "failed", .expected = printable(expected), .seen = printable(seen), .why = {}};
}

void tell_about(Line& line, const PluginDescription& plugin) {
  line.say({{"name", plugin.name},
            {"version", plugin.version},
            {"summary", plugin.summary},
            {"capabilities", plugin.capabilities},
            {"file", plugin.file.string()}});
}

// What a plugin cannot do on a machine that has no processes, descriptors or memory left says nothing of the
// plugin.
Result no_verdict(const std::string& why) {
  return {.verdict = "unusable",
          .expected = {},
          .seen = {},
          .why = "no verdict, for the machine lacks something: " + why};
}

// The evidence is the text, because it comes from the plugin's report: the hints are the host's own words.
bool tells_of_exhaustion(const std::string& text) {
  for (const int number : {EAGAIN, EMFILE, ENFILE, ENOMEM}) {
    if (text.find(limit_hint(number)) != std::string::npos) return true;
  }
  return false;
}

Result run(Stage& stage, Line& line) {
  try {
    stage.which().run(stage);
    // The first case of all: from it the driver knows what applies.
    if (stage.which().id == all_cases().front().id) tell_about(line, stage.plugin());
    return {};
  } catch (const Failure& failure) {
    if (tells_of_exhaustion(failure.seen)) return no_verdict(failure.seen);
    return failed(failure.expected, failure.seen);
  } catch (const Skip& skip) {
    return {.verdict = "skipped", .expected = {}, .seen = {}, .why = skip.why};
  } catch (const Error& error) {
    if (error.cause() == Cause::kConfiguration) {
      return {.verdict = "unusable", .expected = {}, .seen = {}, .why = error.text()};
    }
    if (error.cause() == Cause::kResourceLimit) return no_verdict(error.text());
    return failed("no error", error.text());
  } catch (...) {
    const Error error = error_of_exception("the case threw", "");
    if (error.cause() == Cause::kResourceLimit) return no_verdict(error.text());
    return failed("no exception", error.text());
  }
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

}  // namespace

void run_as_worker(const Case& which, const SubjectChoice& choice, double patience) {
  static Line line;  // until the process ends, which other threads may outlive this function to see
  ::unsetenv(kEnvCase);
  ::signal(SIGPIPE, SIG_IGN);
  // Of cases that crash; one that wants a core raises it again.
  rlimit core{};
  ::getrlimit(RLIMIT_CORE, &core);
  core.rlim_cur = 0;
  ::setrlimit(RLIMIT_CORE, &core);
  static_cast<void>(become_subreaper());

  Result result;
  if (const auto chosen = choose(choice)) {
    static Stage stage(which, *chosen, patience, [](Duration at, const std::string& event) {
      line.say({{"event", event}, {"at", at.count()}});
    });
    result = run(stage, line);
    const auto left = wait_for_leftovers(Deadline::after(stage.scaled(kToEnd)),
                                         Deadline::after(stage.scaled(kToEnd + kToDie)));
    for (const std::string& process : left) stage.note("left behind: " + process);
    if (!left.empty() && result.verdict == "passed") {
      result = failed("no process is left when the instance is destroyed", "left behind: " + left.front());
    }
  } else {
    result = {.verdict = "unusable", .expected = {}, .seen = {}, .why = chosen.error().text()};
  }
  line.say({{"verdict", result.verdict},
            {"expected", result.expected},
            {"seen", result.seen},
            {"why", result.why}});
  ::_exit(0);
}

WorkerLine read_worker_line(std::string_view line, Outcome& outcome, PluginDescription& plugin) {
  boost::system::error_code failure;
  const json::value value = json::parse(json::string_view(line.data(), line.size()), failure);
  if (failure || !value.is_object()) return WorkerLine::kNonsense;
  const json::object& object = value.as_object();
  if (object.contains("event")) {
    const auto* at = object.if_contains("at");
    outcome.events.push_back(
        {Duration(at != nullptr && at->is_int64() ? at->as_int64() : 0), text_of(object, "event")});
    return WorkerLine::kEvent;
  }
  if (object.contains("capabilities")) {
    plugin.name = text_of(object, "name");
    plugin.version = text_of(object, "version");
    plugin.summary = text_of(object, "summary");
    plugin.file = text_of(object, "file");
    const json::value& bits = object.at("capabilities");
    plugin.capabilities = bits.is_uint64() ? bits.as_uint64() : static_cast<std::uint64_t>(bits.as_int64());
    return WorkerLine::kPlugin;
  }
  if (object.contains("verdict")) {
    const std::string verdict = text_of(object, "verdict");
    outcome.verdict = verdict == "passed"     ? Outcome::Verdict::kPassed
                      : verdict == "skipped"  ? Outcome::Verdict::kSkipped
                      : verdict == "unusable" ? Outcome::Verdict::kUnusable
                                              : Outcome::Verdict::kFailed;
    outcome.expected = text_of(object, "expected");
    outcome.seen = text_of(object, "seen");
    outcome.why = text_of(object, "why");
    return WorkerLine::kVerdict;
  }
  return WorkerLine::kNonsense;
}

}  // namespace hostmesh::conformance
