// The suite against plugins with one fault each: exactly the cases that should fail do.
//
// A fault that no case finds is a case that is missing; a case that fails for another reason is one that says
// the wrong thing. The plugins are in tests/plugins/faulty/.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <set>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

namespace json = boost::json;

using Ids = std::set<std::string>;

struct Fault {
  std::string plugin;
  std::string what;
  Ids found_by;  // SHOULD cases included
};

// Named by gtest in what it prints.
void PrintTo(const Fault& fault, std::ostream* out) {
  *out << fault.plugin << ": " << fault.what;
}

Ids operator+(Ids some, const Ids& more) {
  some.insert(more.begin(), more.end());
  return some;
}

// Those that see all kinds of launches in one process.
const Ids kRounds = {"order.launched-first",    "order.launched-once", "order.one-end",
                     "order.nothing-after-end", "order.no-exception",  "order.no-strangers",
                     "order.reports-or-runs",   "order.sensible",      "order.silent-after-destroy"};

const std::vector<Fault>& faults() {
  static const std::vector<Fault> faults = {
      {"never_ends", "never reports an end", {"order.every-launch-ends"}},
      {"ends_twice", "reports each end twice", {"order.one-end"}},
      {"launched_twice", "reports each launch twice", {"order.launched-once"}},
      {"output_before_launched", "reports output first", {"order.launched-first"}},
      {"output_after_end", "reports output last", {"order.nothing-after-end"}},
      {"reports_stranger", "reports launches that are not there", {"order.no-strangers"}},
      {"reports_nonsense", "reports output of a third stream", {"order.sensible"}},
      {"reports_what_the_host_runs",
       "reports what it has the host run",
       {"order.launched-once", "order.reports-or-runs"}},
      {"reports_after_destroy",
       "reports an end after destroy",
       {"order.one-end", "order.silent-after-destroy", "order.silent-when-destroyed-early"}},
      {"reports_the_killed",
       "reports those that destroy kills, later",
       {"order.silent-when-destroyed-early"}},
      {"throws_from_signal", "lets an exception out of signal", {"order.no-exception"}},
      {"one_key_twice", "has two options with the same key", {"load.accepted"}},
      {"default_of_wrong_type", "has a duration that is \"soon\"", {"load.accepted"}},
      {"undocumented", "has no summary", {"config.documented"}},
      {"made_only_once",
       "refuses to make a second instance",
       {"launch.command-missing", "launch.exit-code", "launch.exit-signal", "load.instances-apart",
        "load.made-again", "load.nothing-grows", "output.last-words", "output.no-loss-at-exit",
        "stop.during-launch"}},
      {"instances_share", "kills what other instances have launched", {"load.instances-apart"}},
      {"aborts_in_third_launch", "aborts in the third launch",
       kRounds + Ids{"launch.returns", "order.silent-when-destroyed-early", "stop.destroy-kills",
                     "stop.destroy-returns", "stop.only-its-launch"}},
      {"always_succeeds",
       "reports every end as exit code 0",
       {"launch.exit-code", "launch.exit-signal", "load.instances-apart", "stop.group", "stop.kill",
        "stop.lifeline-ends", "stop.only-its-launch", "stop.signal-after-end", "stop.term"}},
      {"signal_as_code",
       "reports signal N as exit code 128+N",
       {"launch.exit-signal", "stop.group", "stop.kill"}},
      {"through_a_shell",
       "has a shell read the command line",
       {"launch.argv-verbatim", "launch.command-missing", "launch.environment-complete",
        "launch.environment-verbatim", "output.last-words", "output.streams-apart"}},
      {"drops_empty_words", "drops empty words of the command line", {"launch.argv-verbatim"}},
      {"drops_newlines", "drops entries of the environment with a newline", {"launch.environment-verbatim"}},
      {"adds_to_environment", "adds to the environment", {"launch.environment-complete"}},
      {"loses_the_rest", "loses what comes after half a megabyte", {"output.no-loss-at-exit"}},
      {"reorders_output", "swaps pieces of output", {"output.no-loss-at-exit"}},
      {"loses_last_line",
       "loses the last line when it has no newline",
       {"output.last-words", "output.no-loss-at-exit", "output.streams-apart"}},
      {"mixes_streams",
       "brings stderr as stdout",
       {"output.last-words", "output.no-loss-at-exit", "output.streams-apart"}},
      {"leaks_on_destroy",
       "leaves children alone when destroyed",
       {"order.silent-when-destroyed-early", "stop.destroy-kills", "stop.destroy-returns"}},
      {"blocks_in_destroy", "blocks in destroy", {"stop.destroy-returns"}},
      {"ignores_signals",
       "sends no signals",
       {"stop.during-launch", "stop.group", "stop.kill", "stop.only-its-launch", "stop.signal-after-end",
        "stop.term"}},
      {"signals_the_youngest", "sends signals to another launch", {"stop.only-its-launch"}},
      {"signals_leader_only", "sends signals to the child and not to its group", {"stop.group"}},
      {"lifeline_stays", "ignores close_stdin", {"load.instances-apart", "stop.lifeline-ends"}},
      {"lifeline_ends_early", "closes stdin when the payload is written", {"stop.lifeline-ends"}},
      {"leaves_zombies", "leaves zombies", {"stop.no-zombie"}},
      {"leaks_per_instance", "leaks a descriptor for each instance", {"load.nothing-grows"}},
      {"leaks_descriptor", "hands its own descriptors down", {"launch.descriptors"}},
      {"blocked_mask", "hands its blocked signals down", {"launch.signals-as-usual"}},
      {"ignored_signals", "hands its ignored signals down", {"launch.signals-as-usual"}},
      {"ignores_folder", "ignores the working directory", {"launch.working-directory"}},
      {"wrong_pid", "reports another pid", {"launch.pid"}},
      {"launched_without_exec",
       "reports a command that is not there as launched",
       {"launch.command-missing"}},
      {"blocks_in_launch", "blocks in the first launch", {"launch.returns"}},
  };
  return faults;
}

class FaultyPlugins : public SystemTest {
 protected:
  // What did not pass, and the whole report.
  struct Verdict {
    Ids failed;
    std::size_t passed = 0;
    std::string text;
  };
  Verdict judge(const std::string& plugin) {
    Running suite(hostmesh({"conformance", "--plugin", FAULTY_PLUGINS "/lib" + plugin + ".so", "--format",
                            "json", "--jobs", "16"}));
    EXPECT_TRUE(suite.finish()) << suite.err();
    Verdict verdict{.failed = {}, .text = suite.out() + suite.err()};
    boost::system::error_code failure;
    const json::value report = json::parse(suite.out(), failure);
    if (failure) {
      ADD_FAILURE() << failure.message() << ": " << verdict.text;
      return verdict;
    }
    for (const json::value& each : report.at("cases").as_array()) {
      const auto& how = each.at("verdict").as_string();
      if (how == "failed" || how == "warned") verdict.failed.emplace(each.at("id").as_string());
      if (how == "passed") ++verdict.passed;
    }
    return verdict;
  }
};

class FaultyPlugin : public FaultyPlugins, public ::testing::WithParamInterface<Fault> {};

TEST_P(FaultyPlugin, IsFoundByExactlyTheCasesThatShould) {
  const Verdict verdict = judge(GetParam().plugin);

  EXPECT_EQ(verdict.failed, GetParam().found_by) << verdict.text;
}

INSTANTIATE_TEST_SUITE_P(Fault, FaultyPlugin, ::testing::ValuesIn(faults()),
                         [](const auto& one) { return one.param.plugin; });

TEST_F(FaultyPlugins, ConformWhenTheyHaveNoFault) {
  const Verdict verdict = judge("none");

  EXPECT_EQ(verdict.failed, Ids{}) << verdict.text;
  EXPECT_GT(verdict.passed, 20U);
}

TEST_F(FaultyPlugins, AreAllInTheTable) {
  Ids there;
  for (const auto& file : std::filesystem::directory_iterator(FAULT_SOURCES)) {
    there.insert(file.path().stem().string());
  }
  Ids listed = {"none"};
  for (const Fault& fault : faults()) listed.insert(fault.plugin);

  EXPECT_EQ(there, listed);
}

}  // namespace
}  // namespace hostmesh::test
