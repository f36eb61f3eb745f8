// Group secure: secrets go where they belong, and nobody gets in without one.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cctype>
#include <filesystem>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/fleet.hpp"
#include "hostmesh/conformance/probe.hpp"
#include "hostmesh/process/descendants.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kPayload = "abi.h, hostmesh_launch::stdin_payload";
const std::string kSecret = "conformance-secret-5f3a9c1e7b2d4860";

LaunchRequest with_secret(Stage& stage) {
  LaunchRequest request = stage.payload({"until-stdin-ends", "0"});
  request.stdin_payload = Bytes(kSecret.begin(), kSecret.end());
  return request;
}

void not_on_show(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch_ready(with_secret(stage));

  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", failure)) {
    const std::string name = entry.path().filename().string();
    if (std::isdigit(static_cast<unsigned char>(name.front())) == 0) continue;
    for (const char* file : {"cmdline", "environ"}) {
      const std::string text = read_proc_file("/proc/" + name + "/" + file).value_or("");
      stage.expect(text.find(kSecret) == std::string::npos,
                   "what goes to a launch's stdin is in no command line and no environment",
                   "it is in the " + std::string(file) + " of pid " + name);
    }
  }
  probe.close_stdin(launch);
  probe.await_end(launch);
}

// What is written to this process's stderr meanwhile; it is passed on afterwards.
class Stderr {
 public:
  Stderr()
      : former_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)), kept_(::memfd_create("stderr", MFD_CLOEXEC)) {
    ::dup2(kept_.get(), STDERR_FILENO);
  }
  ~Stderr() { restore(); }
  std::string restore() {
    if (!former_) return {};
    ::dup2(former_.get(), STDERR_FILENO);
    std::string text(static_cast<std::size_t>(::lseek(kept_.get(), 0, SEEK_END)), '\0');
    if (::pread(kept_.get(), text.data(), text.size(), 0) < 0) text.clear();
    if (::write(former_.get(), text.data(), text.size()) < 0) text += "?";
    former_.reset();
    return text;
  }

 private:
  UniqueFd former_;
  UniqueFd kept_;
};

void not_in_the_log(Stage& stage) {
  ::setenv("HOSTMESH_LOG", "debug", 1);
  Stderr log;
  {
    Probe probe(stage);
    const LaunchId launch = probe.launch_ready(with_secret(stage));
    probe.close_stdin(launch);
    probe.await_end(launch);
  }
  {
    Probe probe(stage);
    LaunchRequest missing = with_secret(stage);
    missing.argv = {"/nonexistent/hostmesh-conformance"};
    const Seen failed = probe.await_end(probe.launch(std::move(missing)));
    stage.expect(failed.text().find(kSecret) == std::string::npos,
                 "what goes to a launch's stdin is in no error", failed.text());
  }
  const std::string text = log.restore();
  stage.expect(text.find(kSecret) == std::string::npos, "what goes to a launch's stdin is not logged", text);
}

void wrong_secret(Stage& stage, const std::string& misdeed) {
  Fleet fleet(stage);
  auto good = fleet.allocate({.extent = {{"x", 1}}});
  good.await_running();
  auto bad = fleet.allocate({.extent = {{"x", 2}}}, fleet.child({"child", misdeed}));

  bad.await_end();

  stage.equal("the number of procs that got in", bad.of<ProcRunning>().size(), 0U);
  expect_complete(stage, bad.states());
  const auto news = good.alloc().next(stage.within(std::chrono::milliseconds(100)));
  stage.expect(!news, "those that are in already are not disturbed", "their stream said something");
  good.alloc().stop();
  good.await_end();
}

void wrong_key(Stage& stage) {
  wrong_secret(stage, "wrong_secret");
}
void wrong_rank(Stage& stage) {
  wrong_secret(stage, "wrong_rank");
}

}  // namespace

const std::vector<Case>& secure_cases() {
  const Needs fed = needs::kProcesses | needs::kLifeline | needs::kOutput;
  const std::string_view base = "order.every-launch-ends";
  static const std::vector<Case> cases = {
      {.id = "secure.payload-not-on-show",
       .sentence = "What goes to a launch's stdin is in no command line and no environment.",
       .needs = fed | needs::kSameMachine,
       .rule = kPayload,
       .run = not_on_show,
       .builds_on = base},
      {.id = "secure.payload-not-logged",
       .sentence = "What goes to a launch's stdin is neither logged nor in an error.",
       .needs = fed,
       .rule = kPayload,
       .run = not_in_the_log,
       .builds_on = base},
      {.id = "secure.wrong-secret",
       .sentence = "A child with the wrong secret does not get in, and disturbs nobody.",
       .needs = needs::kProcesses,
       .rule = "the bootstrap protocol",
       .run = wrong_key,
       .builds_on = base},
      {.id = "secure.wrong-rank",
       .sentence = "A child that claims to be another rank does not get in, and disturbs nobody.",
       .needs = needs::kProcesses,
       .rule = "the bootstrap protocol",
       .run = wrong_rank,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
