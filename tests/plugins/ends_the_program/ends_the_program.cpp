// Ends its process in the call that its option `call` names (or on a thread of its own), in the way that
// `deed` says.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <thread>

#include "hostmesh/plugin/sdk.hpp"

namespace {

using namespace hostmesh::plugin;

volatile bool for_ever = true;

[[gnu::noinline]] int overflow(int depth) {  // NOLINT(misc-no-recursion)
  volatile char room[4096] = {};
  room[0] = static_cast<char>(depth);
  return for_ever ? overflow(depth + 1) + room[0] : 0;
}

void end_by(const std::string& deed) {
  if (deed == "crashes") *reinterpret_cast<volatile int*>(16) = 1;
  if (deed == "overflows") static_cast<void>(overflow(0));
  if (deed == "aborts") std::abort();
  if (deed == "terminates") std::terminate();
  if (deed == "exits") std::exit(5);
  if (deed == "_exits") ::_exit(6);
  if (deed == "quick_exits") std::quick_exit(7);
}

class EndsTheProgram : public CommandLauncher {
 public:
  static Description describe() {
    return {
        .capabilities = {Capability::kSameMachine, Capability::kSignal, Capability::kOutput,
                         Capability::kExitStatus, Capability::kLifeline},
        .options = {{.key = "call", .default_value = "launch"}, {.key = "deed", .default_value = "crashes"}}};
  }
  EndsTheProgram(const Config& config, const Host& host)
      : CommandLauncher(host), call_(config.text("call")), deed_(config.text("deed")) {
    if (call_ == "create") end_by(deed_);
    if (call_ == "thread") std::thread([deed = deed_] { end_by(deed); }).detach();
  }
  ~EndsTheProgram() override {
    if (call_ == "destroy") end_by(deed_);
  }
  Command command(const LaunchRequest& request) override {
    if (call_ == "launch" && request.rank == 1) end_by(deed_);
    if (call_ == "thread") ::sleep(30);  // its thread is quicker
    return {.argv = request.argv,
            .environment = request.environment,
            .working_directory = request.working_directory,
            .stdin_payload = request.stdin_payload,
            .stdin_use = request.stdin_use};
  }

 private:
  const std::string call_;
  const std::string deed_;
};

}  // namespace

HOSTMESH_PLUGIN(EndsTheProgram, "ends_the_program", "0.1")
