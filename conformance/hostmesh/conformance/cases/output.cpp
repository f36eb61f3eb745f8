// Group output: what a launch writes, and how it comes; and what it reads.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/probe.hpp"
#include "hostmesh/process/descendants.hpp"
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

void pause_and_resume(Stage& stage) {
  constexpr std::size_t kSize = 4 << 20;
  Probe probe(stage);
  const LaunchId launch = probe.launch(stage.payload({"write", "stdout", std::to_string(kSize)}));

  for (int i = 0; i < 10; ++i) {
    probe.pause_output(launch);
    const std::size_t before = probe.seen(launch).out.size();
    const bool went_on = probe.record().wait_seen(
        launch, stage.within(std::chrono::milliseconds(10)),
        [&](const Seen& seen) { return seen.out.size() > before || (seen.ended && before < kSize); });
    stage.expect(!went_on, "between pause_output and resume_output nothing comes",
                 std::to_string(probe.seen(launch).out.size() - before) + " bytes came");
    probe.resume_output(launch);
  }

  expect_pattern(stage, "stdout", probe.await_end(launch).out, kSize);
}

// Resident, in bytes.
std::size_t memory_of_this_process() {
  std::istringstream text(read_proc_file("/proc/self/statm").value_or("0 0"));
  std::size_t pages = 0;
  text >> pages >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void bounded(Stage& stage) {
  constexpr std::size_t kSize = 64 << 20;
  constexpr std::size_t kMost = 16 << 20;
  Probe probe(stage);
  const LaunchId launch = probe.launch(stage.payload({"write", "stdout", std::to_string(kSize)}));
  probe.await(launch, "writes", [](const Seen& seen) { return !seen.out.empty(); });
  probe.pause_output(launch);
  const std::size_t before = memory_of_this_process();

  // Time enough to write all of it, if anybody took it.
  probe.record().wait_seen(launch, stage.within(std::chrono::seconds(1)),
                           [](const Seen& seen) { return seen.ended; });

  const std::size_t after = memory_of_this_process();
  stage.expect(after <= before + kMost, "what is held back is not kept in memory",
               std::to_string((after - before) >> 20) + " MiB more than before");
  probe.destroy();
}

// The one that holds it is in a session of its own, out of reach of signals to the group.
void held_by_others(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch(stage.payload({"daemonise"}));
  const Seen seen =
      probe.await(launch, "is reported as ended soon", [](const Seen& now) { return now.ended; });
  const std::size_t at = seen.out.find("grandchild ");
  stage.expect(at != std::string::npos, "what it wrote comes before its end", seen.out);
  ::kill(std::atoi(seen.out.c_str() + at + std::strlen("grandchild ")), SIGKILL);
}

void stdin_whole(Stage& stage) {
  LaunchRequest request = stage.payload({"count-stdin"});
  for (std::size_t at = 0; at < 1'000'003; ++at) request.stdin_payload.push_back(payload::pattern_byte(at));
  request.stdin_use = LaunchRequest::Stdin::kPayloadThenEof;
  const std::string wanted = "stdin " + std::to_string(request.stdin_payload.size()) + " " +
                             std::to_string(payload::hash_of(request.stdin_payload)) + "\n";
  Probe probe(stage);

  stage.equal("what the payload says of its stdin", probe.await_end(probe.launch(std::move(request))).out,
              wanted);
}

void stdin_open(Stage& stage) {
  LaunchRequest request = stage.payload({"until-stdin-ends", "4"});
  request.stdin_payload = Bytes(100'000, 'x');
  Probe probe(stage);
  const LaunchId launch = probe.launch_ready(std::move(request));

  const bool ended = probe.record().wait_seen(launch, stage.within(std::chrono::milliseconds(300)),
                                              [](const Seen& seen) { return seen.ended; });
  stage.expect(!ended, "stdin stays open after what is written to it", probe.seen(launch).text());
  probe.close_stdin(launch);
  stage.equal("the end of a payload that exits with 4 when its stdin ends", probe.await_end(launch).status,
              ExitStatus::exited(4));
}

// Nobody reads it, and it is more than a pipe holds.
void stdin_unread(Stage& stage) {
  LaunchRequest request = stage.payload({"exit", "5"});
  request.stdin_payload = Bytes(1 << 20, 'x');
  Probe probe(stage);
  const Seen seen = probe.await_end(probe.launch(std::move(request)));
  stage.equal("the end of a payload that does not read its stdin", seen.status, ExitStatus::exited(5));
}

void closed_by_the_launch(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch_ready(stage.payload({"close-output"}));
  const bool ended = probe.record().wait_seen(launch, stage.within(std::chrono::milliseconds(200)),
                                              [](const Seen& seen) { return seen.ended; });
  stage.expect(!ended, "a launch that closes its output still runs", probe.seen(launch).text());
}

// Nothing says that more is to come, and nothing that it has ended.
void while_it_runs(Stage& stage) {
  for (const std::string stream : {"stdout", "stderr"}) {
    Probe probe(stage);
    const LaunchId launch = probe.launch(stage.payload({"tick", stream, "3", "1"}));
    probe.await(launch, "writes three lines to " + stream + ", which come while it runs",
                [&](const Seen& seen) {
                  const std::string& text = stream == "stdout" ? seen.out : seen.err;
                  return text.find("tick 2 ") != std::string::npos;
                });
    stage.expect(!probe.seen(launch).ended, "it still runs", probe.seen(launch).text());
  }
}

// Each line says when it was written. One that comes late may have met a busy machine, so the quickest
// counts.
void at_once(Stage& stage) {
  constexpr int kLines = 6;
  constexpr Duration kUsual = std::chrono::milliseconds(50);
  for (const std::string stream : {"stdout", "stderr"}) {
    Probe probe(stage);
    const LaunchId launch = probe.launch(stage.payload({"tick", stream, std::to_string(kLines), "10"}));
    Duration quickest = Duration::max();
    for (int i = 0; i < kLines; ++i) {
      const std::string word = "tick " + std::to_string(i) + " ";
      const auto whole_line = [&](const Seen& seen) -> std::string {
        const std::string& text = stream == "stdout" ? seen.out : seen.err;
        const std::size_t at = text.find(word);
        const std::size_t end = at == std::string::npos ? at : text.find('\n', at);
        return end == std::string::npos ? "" : text.substr(at + word.size(), end - at - word.size());
      };
      const Seen seen = probe.await(launch, "writes line " + std::to_string(i) + " to " + stream,
                                    [&](const Seen& now) { return !whole_line(now).empty(); });
      const std::chrono::nanoseconds written(std::stoll(whole_line(seen)));
      quickest = std::min<Duration>(quickest, Clock::now().time_since_epoch() - written);
    }
    stage.expect(
        quickest <= stage.scaled(kUsual), "lines that come one by one on " + stream + " come at once",
        "the quickest of " + std::to_string(kLines) + " came " + hostmesh::to_string(quickest) + " late");
  }
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
      {.id = "output.while-it-runs",
       .sentence = "What a launch writes comes while it runs, on both streams.",
       .needs = output,
       .rule = kOutput,
       .run = while_it_runs,
       .builds_on = base},
      {.id = "output.at-once",
       .sentence = "What a launch writes comes when it is written, within 50 ms.",
       .needs = output | needs::kSameMachine,
       .rule = kOutput,
       .run = at_once,
       .builds_on = base},
      {.id = "output.pause-and-resume",
       .sentence = "Between pause_output and resume_output nothing comes, and nothing is lost.",
       .needs = output,
       .deadline = std::chrono::seconds(20),
       .rule = "abi.h, pause_output",
       .run = pause_and_resume,
       .builds_on = base},
      {.id = "output.bounded",
       .sentence = "What a launch writes while it is held back is not kept in memory: the launch waits.",
       .level = Level::kShould,
       .needs = output,
       .deadline = std::chrono::seconds(20),
       .rule = "abi.h, pause_output",
       .run = bounded,
       .builds_on = base},
      {.id = "output.held-by-others",
       .sentence = "A launch has ended when it has ended, whoever still holds its stdout.",
       .needs = output | needs::kSameMachine,
       .rule = "abi.h, exited",
       .run = held_by_others,
       .builds_on = base},
      {.id = "output.closed",
       .sentence = "A launch that closes its stdout and stderr has not ended.",
       .needs = output,
       .rule = "abi.h, exited",
       .run = closed_by_the_launch,
       .builds_on = base},
      {.id = "output.stdin-whole",
       .sentence = "All that is for a launch's stdin arrives, and then its end, where that is asked for.",
       .needs = output,
       .rule = "abi.h, HOSTMESH_STDIN_PAYLOAD_THEN_EOF",
       .run = stdin_whole,
       .builds_on = base},
      {.id = "output.stdin-open",
       .sentence = "Where a lifeline is asked for, stdin stays open after what is written to it.",
       .needs = output | needs::kLifeline | needs::kExitStatus,
       .rule = "abi.h, HOSTMESH_STDIN_LIFELINE",
       .run = stdin_open,
       .builds_on = base},
      {.id = "output.stdin-unread",
       .sentence = "A launch that does not read its stdin ends as it likes.",
       .needs = output | needs::kExitStatus,
       .rule = "abi.h, hostmesh_launch::stdin_payload",
       .run = stdin_unread,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
