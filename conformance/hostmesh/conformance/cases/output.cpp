// Group output: what a launch writes, and how it comes.
#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/probe.hpp"
#include "payload/pattern.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kOutput = "abi.h, HOSTMESH_CAPABILITY_OUTPUT";

// Where `got` is not the pattern any more; its size when all of it is.
std::size_t first_difference(const std::string& got) {
  std::size_t at = 0;
  while (at < got.size() && static_cast<std::uint8_t>(got[at]) == payload::pattern_byte(at)) ++at;
  return at;
}

void expect_pattern(const Stage& stage, const std::string& stream, const std::string& got, std::size_t size) {
  stage.equal("the number of bytes of " + stream, got.size(), size);
  stage.equal("the number of bytes of " + stream + " before the first wrong one", first_difference(got),
              size);
}

// It exits at once after its last byte.
void no_loss_at_exit(Stage& stage) {
  constexpr std::size_t kSize = 1'000'003;
  for (const std::string stream : {"stdout", "stderr"}) {
    Probe probe(stage);
    const Seen seen = probe.await_end(probe.launch(stage.payload({"write", stream, std::to_string(kSize)})));
    expect_pattern(stage, stream, stream == "stdout" ? seen.out : seen.err, kSize);
  }
}

void last_words(Stage& stage) {
  for (int i = 0; i < 10; ++i) {
    Probe probe(stage);
    const LaunchId launch =
        probe.launch(stage.payload({"print", "stderr", "the last words, without an end", "3"}));
    stage.equal("stderr", probe.await_end(launch).err, "the last words, without an end");
  }
}

void streams_apart(Stage& stage) {
  Probe probe(stage);
  const Seen out = probe.await_end(probe.launch(stage.payload({"print", "stdout", "to stdout", "0"})));
  const Seen err = probe.await_end(probe.launch(stage.payload({"print", "stderr", "to stderr", "0"})));

  stage.equal("what was written to stdout", out.out + "|" + out.err, "to stdout|");
  stage.equal("what was written to stderr", err.out + "|" + err.err, "|to stderr");
}

}  // namespace

const std::vector<Case>& output_cases() {
  const Needs output = needs::kProcesses | needs::kOutput;
  const std::string_view base = "order.every-launch-ends";
  static const std::vector<Case> cases = {
      {.id = "output.no-loss-at-exit",
       .sentence =
           "All that a launch wrote before it ended arrives, byte for byte, before its end is reported.",
       .needs = output,
       .deadline = std::chrono::seconds(20),
       .rule = kOutput,
       .run = no_loss_at_exit,
       .builds_on = base},
      {.id = "output.last-words",
       .sentence = "The last words of a launch that fails at once arrive, without a newline, too.",
       .needs = output,
       .rule = kOutput,
       .run = last_words,
       .builds_on = base},
      {.id = "output.streams-apart",
       .sentence = "What was written to stdout comes as stdout, and stderr as stderr.",
       .needs = output,
       .rule = kOutput,
       .run = streams_apart,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
