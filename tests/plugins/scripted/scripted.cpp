// Does what its launches' argv say, step by step, on a thread of its own for each: right or wrong.
//
//   launched          pid 4711 on node "nowhere"      out:TEXT, err:TEXT   a piece of output
//   exit:CODE, kill:N                                  fail:TEXT            with errno ENOSPC
//   stranger          an exit for a launch that is not there
//   wait              until the launch is signalled    config               its options, as output
// and on the thread of the call:
//   throw             out of launch()                  run:COMMAND          sh -c COMMAND, by the host
//   run_at:NODE=CMD   the same as the way to NODE      inside               a proc inside this process
//   late              a report for the instance before this one
//   mark:MARK=COMMAND the same as run:, but the launch begins when it has written MARK
// and when such a command has ended:
//   then_fail:TEXT    the launch has failed for that reason
//   then_run:COMMAND  the launch is taken back, once, and made anew with that
#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "hostmesh/plugin/sdk.hpp"

namespace {

using namespace hostmesh::plugin;

std::optional<Host> previous;

class Scripted : public Launcher {
 public:
  static Description describe() {
    return {.capabilities = {Capability::kSignal, Capability::kOutput},
            .options =
                {{.key = "name", .type = OptionType::kString, .required = true, .doc = "what to be called"},
                 {.key = "count", .type = OptionType::kInteger, .default_value = "3"},
                 {.key = "fast", .type = OptionType::kBoolean, .default_value = "false"},
                 {.key = "patience", .type = OptionType::kDuration, .default_value = "1m30s"},
                 {.key = "hosts", .type = OptionType::kStringList},
                 {.key = "motto"}},
            .summary = "does what it is told"};
  }

  Scripted(const Config& config, const Host& host) : config_(config), host_(host) {}
  ~Scripted() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    signalled_.notify_all();
    for (std::thread& each : threads_) each.join();
    previous = host_;
  }

  void launch(const LaunchRequest& request) override {
    for (const std::string& step : request.argv) {
      const std::string rest = after(step);
      if (step.starts_with("run:")) host_.spawn_local(request.id, command(rest, {}));
      if (step.starts_with("run_at:")) {
        const auto equals = rest.find('=');
        host_.spawn_local(request.id, command(rest.substr(equals + 1), rest.substr(0, equals)));
      }
      if (step.starts_with("mark:")) {
        const auto equals = rest.find('=');
        begin_marked(request, rest.substr(0, equals), rest.substr(equals + 1));
      }
      if (step == "inside") host_.run_local_proc(request.id);
      if (step == "late" && previous) previous->launched(request.id, 1, "late");
      if (step == "throw") throw Error(Cause::kRemote, "told to throw", EHOSTDOWN);
    }
    threads_.emplace_back([this, request] { play(request); });
  }

  LocalVerdict local_ended(LaunchId id, const LocalEnd& end) override {
    const auto found = marked_.find(id);
    if (found == marked_.end()) return {};
    for (std::string& step : found->second.steps) {
      const std::string rest = after(step);
      if (step.starts_with("then_run:") && !end.has_started) {
        step.clear();
        begin_marked({.id = id, .argv = found->second.steps}, found->second.mark, rest);
        return {.what = LocalVerdict::What::kTakeBack};
      }
      if (step.starts_with("then_fail:"))
        return {.what = LocalVerdict::What::kFail, .cause = Cause::kPeerGone, .text = rest + end.last_lines};
    }
    return {};
  }

  void pause_output(LaunchId id) override { host_.pause_output_local(id); }
  void resume_output(LaunchId id) override { host_.resume_output_local(id); }
  void signal(LaunchId id, int signal_number) override {
    host_.signal_local(id, signal_number);
    {
      const std::lock_guard lock(mutex_);
      signals_.insert(id);
    }
    signalled_.notify_all();
    if (signal_number == 100) throw std::runtime_error("no such signal");
  }

 private:
  struct Marked {
    std::string mark;
    std::vector<std::string> steps;
  };
  void begin_marked(const LaunchRequest& request, const std::string& mark, const std::string& words) {
    Command marked = command(words, {});
    marked.marker = mark;
    const std::vector<std::string> steps = request.argv;
    marked_[request.id] = {.mark = mark, .steps = steps};
    host_.spawn_local(request.id, marked);
  }

  static std::string after(const std::string& step) {
    const auto colon = step.find(':');
    return colon == std::string::npos ? std::string() : step.substr(colon + 1);
  }
  static Command command(const std::string& words, const std::string& node) {
    return {.argv = {"/bin/sh", "-c", words}, .stdin_use = StdinUse::kPayloadThenEof, .node = node};
  }
  void say(LaunchId id, Stream stream, const std::string& words) {
    host_.output(id, stream, {reinterpret_cast<const std::uint8_t*>(words.data()), words.size()});
  }
  std::string options() const {
    std::string words = config_.text("name") + "|" + std::to_string(config_.integer("count")) + "|" +
                        (config_.boolean("fast") ? "fast" : "slow") + "|" +
                        std::to_string(config_.duration("patience").count()) + "|";
    if (config_.has("hosts")) {
      for (const std::string& each : config_.list("hosts")) words += each + ";";
    }
    return words + (config_.has("motto") ? "|" + config_.text("motto") : "");
  }

  void play(const LaunchRequest& request) {
    const LaunchId id = request.id;
    for (const std::string& step : request.argv) {
      const std::string rest = after(step);
      if (step == "launched") host_.launched(id, 4711, "nowhere");
      if (step.starts_with("out:")) say(id, Stream::kStdout, rest);
      if (step.starts_with("err:")) say(id, Stream::kStderr, rest);
      if (step.starts_with("exit:")) host_.exited(id, std::stoi(rest));
      if (step.starts_with("kill:")) host_.killed(id, std::stoi(rest));
      if (step.starts_with("fail:")) host_.failed(id, Cause::kRemote, rest, ENOSPC);
      if (step == "stranger") host_.exited(id + 1000, 0);
      if (step == "config") say(id, Stream::kStdout, options());
      if (step == "wait") {
        std::unique_lock lock(mutex_);
        signalled_.wait(lock, [&] { return closing_ || signals_.contains(id); });
      }
    }
  }

  const Config config_;
  const Host host_;
  std::mutex mutex_;
  std::condition_variable signalled_;
  std::set<LaunchId> signals_;
  std::map<LaunchId, Marked> marked_;  // touched by the host's calls only
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

HOSTMESH_PLUGIN(Scripted, "scripted", "0.1")
