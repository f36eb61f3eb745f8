// The suite against plugins with one fault each: exactly the cases that should fail do.
//
// A fault that no case finds is a case that is missing; a case that fails for another reason is one that says
// the wrong thing. The plugins are in tests/plugins/faulty/.
//
// This is built twice. In one program each plugin meets the cases that should find it; in the other, which is
// for the slow tests (EVERY_CASE), each meets all.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <iterator>
#include <set>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

namespace json = boost::json;

using Ids = std::set<std::string>;

// Under a sanitizer every process starts several times as slowly, and what a case takes for a fault is often
// that something takes too long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSlow = true;
#else
constexpr bool kIsSlow = false;
#endif

#if defined(EVERY_CASE)
constexpr bool kEveryCase = true;
#else
constexpr bool kEveryCase = false;
#endif

struct Fault {
  std::string plugin;
  std::string what;
  Ids found_by;  // SHOULD cases included
  // Cases that may come before the fault: they kill at a moment of their choice, or it depends on who is
  // first.
  Ids perhaps_by{};

  // A fault that races with cases of a group may come before any other of that group, too.
  bool may_be_found_by(const std::string& id) const {
    if (perhaps_by.empty() || found_by.contains(id)) return false;
    const auto same_group = [&](const std::string& other) {
      return other.substr(0, other.find('.')) == id.substr(0, id.find('.'));
    };
    return std::ranges::any_of(found_by, same_group) || std::ranges::any_of(perhaps_by, same_group);
  }
};

// Named by gtest in what it prints.
void PrintTo(const Fault& fault, std::ostream* out) {
  *out << fault.plugin << ": " << fault.what;
}

// As the suite takes them.
std::string joined(const Ids& ids) {
  std::string text;
  for (const std::string& id : ids) text += (text.empty() ? "" : ",") + id;
  return text;
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
      {"never_ends", "never reports an end", {"alloc.comes-up", "order.every-launch-ends"}},
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
      {"throws_from_signal",
       "lets an exception out of signal",
       {"order.no-exception", "stop.signal-after-end"}},
      {"one_key_twice", "has two options with the same key", {"load.accepted"}},
      {"default_of_wrong_type", "has a duration that is soon", {"load.accepted"}},
      {"undocumented", "has no summary", {"config.documented"}},
      {"made_only_once",
       "refuses to make a second instance",
       {"alloc.apart",
        "alloc.dropped-at-once",
        "alloc.points",
        "alloc.proc-names",
        "alloc.slow-consumer",
        "alloc.stop-at-once",
        "launch.argv-zero",
        "launch.big-environment",
        "launch.exit-code",
        "launch.exit-signal",
        "launch.returns",
        "output.at-once",
        "output.while-it-runs",
        "load.instances-apart",
        "load.made-again",
        "load.nothing-grows",
        "orphans.destroyed-while-launching",
        "output.last-words",
        "output.no-loss-at-exit",
        "secure.payload-not-logged",
        "secure.wrong-rank",
        "secure.wrong-secret",
        "stop.destroy-repeated"}},
      {"instances_share",
       "kills what other instances have launched",
       {"alloc.apart", "load.instances-apart", "secure.wrong-rank", "secure.wrong-secret"},
       {"alloc.slow-consumer", "alloc.stop-at-once"}},
      {"aborts_in_third_launch",
       "aborts in the third launch",
       kRounds + Ids{"alloc.comes-up", "launch.partial-failure", "launch.returns",
                     "order.silent-when-destroyed-early", "orphans.destroyed-while-launching",
                     "orphans.proc-killed", "stop.destroy-kills", "stop.destroy-returns",
                     "stop.only-its-launch"},
       {"orphans.killed-while-allocating", "orphans.killed-while-launching", "orphans.killed-while-running",
        "orphans.killed-while-stopping", "orphans.killed-with-a-mesh"}},
      {"always_succeeds",
       "reports every end as exit code 0",
       {"alloc.child-exits-early",
        "alloc.kill",
        "detect.core",
        "detect.dies-after-hello",
        "detect.exit-latency",
        "stop.signal-after-reuse",
        "detect.no-core",
        "launch.exit-code",
        "launch.exit-signal",
        "launch.path-search",
        "load.instances-apart",
        "orphans.proc-killed",
        "output.stdin-open",
        "output.stdin-unread",
        "stop.frozen",
        "stop.group",
        "stop.kill",
        "stop.lifeline-ends",
        "stop.only-its-launch",
        "stop.signal-after-end",
        "stop.term"}},
      {"signal_as_code",
       "reports signal N as exit code 128+N",
       {"detect.exit-latency", "detect.no-core", "launch.exit-signal", "orphans.proc-killed", "stop.frozen",
        "stop.group", "stop.kill"}},
      {"invents_cores", "reports a core with every signal", {"detect.no-core"}},
      {"wrong_pid",
       "reports another pid",
       {"alloc.locality", "detect.exit-latency", "detect.patient", "launch.true-pid", "orphans.proc-killed"},
       // The sweep after one that was killed takes the others for orphans, when it finds them alive.
       {"alloc.kill", "detect.deaf", "detect.frozen", "detect.silent"}},
      {"launched_without_exec",
       "reports a command that is not there as launched",
       {"launch.missing-directory", "launch.missing-program", "launch.not-executable",
        "launch.wrong-format"}},
      {"through_a_shell",
       "has a shell read the command line",
       {"launch.argv-verbatim", "launch.environment-complete", "launch.environment-verbatim",
        "launch.missing-program", "launch.not-executable", "launch.wrong-format"}},
      {"drops_empty_words", "drops empty words of the command line", {"launch.argv-verbatim"}},
      {"drops_newlines", "drops entries of the environment with a newline", {"launch.environment-verbatim"}},
      {"adds_to_environment", "adds to the environment", {"launch.environment-complete"}},
      {"ignores_folder",
       "ignores the working directory",
       {"launch.missing-directory", "launch.partial-failure", "launch.working-directory"}},
      {"leaks_descriptor", "hands its own descriptors down", {"launch.descriptors"}},
      {"blocked_mask", "hands its blocked signals down", {"launch.signals"}},
      {"ignored_signals", "hands its ignored signals down", {"launch.signals"}},
      {"secret_in_argv",
       "has the payload on the command line, too",
       {"output.stdin-unread", "secure.payload-not-on-show"}},
      {"secret_in_environment",
       "has the payload in the environment, too",
       {"output.stdin-unread", "secure.payload-not-on-show"}},
      {"loses_the_rest",
       "loses what comes after half a megabyte",
       {"output.no-loss-at-exit", "output.pause-and-resume"}},
      {"reorders_output",
       "swaps pieces of output",
       {"output.no-loss-at-exit", "output.pause-and-resume"},
       {"launch.big-environment"}},
      {"loses_last_line",
       "loses the last line when it has no newline",
       {"output.last-words", "output.no-loss-at-exit", "output.pause-and-resume", "output.streams-apart"}},
      {"mixes_streams",
       "brings stderr as stdout",
       {"output.last-words", "output.no-loss-at-exit", "output.streams-apart"}},
      {"leaks_on_destroy",
       "leaves children alone when destroyed",
       {"order.silent-when-destroyed-early", "orphans.destroyed-while-launching", "output.closed",
        "stop.destroy-kills", "stop.destroy-repeated", "stop.destroy-returns", "stop.group-term"}},
      {"leaves_its_helper",
       "leaves a process of its own behind",
       {"orphans.killed-while-running", "orphans.killed-with-a-mesh"},
       {"orphans.killed-while-allocating", "orphans.killed-while-launching",
        "orphans.killed-while-stopping"}},
      {"leaves_zombies", "leaves zombies", {"stop.no-zombie"}},
      {"leaks_per_instance", "leaks a descriptor for each instance", {"load.nothing-grows"}},
      {"blocks_in_launch", "blocks in the first launch", {"launch.returns"}},
      {"blocks_in_destroy",
       "blocks in destroy",
       {"orphans.destroyed-while-launching", "stop.destroy-repeated", "stop.destroy-returns"}},
      {"ignores_signals",
       "sends no signals",
       {"stop.during-launch", "stop.frozen", "stop.group", "stop.group-term", "stop.kill",
        "stop.only-its-launch", "stop.repeated", "stop.signal-after-end", "stop.term"}},
      {"signals_the_youngest",
       "sends signals to another launch",
       {"stop.only-its-launch"},
       {"detect.deaf", "detect.frozen", "detect.silent"}},
      {"signals_leader_only",
       "sends signals to the child and not to its group",
       {"stop.group", "stop.group-term"}},
      {"lifeline_stays",
       "ignores close_stdin",
       {"load.instances-apart", "output.stdin-open", "secure.payload-not-logged",
        "secure.payload-not-on-show", "stop.lifeline-ends"}},
      {"lifeline_ends_early",
       "closes stdin when the payload is written",
       {"alloc.comes-up", "detect.patient", "orphans.proc-killed", "output.stdin-open", "secure.wrong-rank",
        "secure.wrong-secret", "stop.lifeline-ends"},
       // Whoever looks at a child that is on its way out may still find it.
       {"load.instances-apart", "secure.payload-not-logged", "secure.payload-not-on-show",
        "orphans.killed-while-allocating", "orphans.killed-while-launching", "orphans.killed-while-running",
        "orphans.killed-while-stopping", "orphans.killed-with-a-mesh"}},
      {"own_umask", "gives children another umask", {"launch.umask"}},
      {"lower_priority", "gives children another niceness", {"launch.priority"}},
      {"first_processor", "keeps children on one processor", {"launch.cpus"}},
      {"own_limits", "gives children another limit", {"launch.limits"}},
      {"raises_descriptor_limit",
       "gives children another limit on descriptors",
       {"launch.descriptor-limit", "launch.limits"}},
      {"no_new_privileges", "takes a privilege from children", {"launch.privileges"}},
      {"few_words", "cuts command lines of many words", {"launch.argv-long"}},
      {"short_words", "cuts long words of the command line", {"launch.argv-long"}},
      {"full_first_word", "replaces the first word of the command line", {"launch.argv-zero"}},
      {"doubles_environment", "has a variable twice", {"launch.environment-complete"}},
      {"reverses_environment", "has the environment in reverse", {"launch.environment-order"}},
      {"says_nowhere", "does not say on which machine", {"launch.where"}},
      {"blocks_in_each_launch", "blocks for 50 ms in each launch", {"launch.returns"}},
      {"same_pid",
       "reports the first pid for all",
       {"detect.exit-latency", "launch.true-pid"},
       {"alloc.kill", "alloc.stop-at-once", "orphans.proc-killed", "stop.no-zombie"}},
      {"late_end", "reports each end 400 ms late", {"detect.exit-latency"}},
      {"sees_no_cores", "never reports a core", {"detect.core"}},
      {"starts_nothing_anew", "refuses to start a rank anew", {"alloc.respawn"}},
      {"two_when_many", "starts two processes when there are many", {"scale.one-process-each"}},
      {"leaks_memory", "keeps memory for each launch", {"scale.memory"}},
      {"late_output", "reports output 200 ms late", {"output.at-once"}, {"output.pause-and-resume"}},
      {"keeps_stderr", "keeps stderr until the end", {"output.at-once", "output.while-it-runs"}},
      {"secret_in_environment_as_hex",
       "has the payload in the environment in hex",
       {"secure.payload-not-on-show"}},
      {"secret_in_environment_percent_encoded",
       "has the payload in the environment, percent-encoded",
       {"secure.payload-not-on-show"}},
      {"secret_in_argv_as_base64", "has the payload in argv in base64", {"secure.payload-not-on-show"}},
      {"secret_in_file", "has the payload in a file", {"secure.payload-not-in-files"}},
      {"signals_the_ended", "signals pids of launches that have ended", {"stop.signal-after-reuse"}},
      {"loses_early_signals", "loses signals that come early", {"stop.during-launch"}},
      {"changes_folder", "changes the client's working directory", {"client.working-directory"}},
      {"changes_folder_briefly",
       "changes the client's working directory and back",
       {"client.working-directory"}},
      {"changes_umask", "changes the client's umask and back", {"client.umask"}},
      {"changes_environment", "changes the client's environment", {"client.environment"}},
      {"changes_signals", "changes what the client does on a signal", {"client.signals"}},
      {"changes_descriptor", "changes the client's stderr", {"client.descriptors"}},
      {"changes_priority", "changes the priority of the client", {"client.attributes"}},
      {"reaps_strangers", "waits for children that are not its own", {"client.children"}},
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
  static constexpr const char* kUsualPatience = kIsSlow ? "10" : "1";
  static constexpr const char* kMuchPatience = "10";
  Verdict judge(const std::string& plugin, const std::string& only, const char* patience = kUsualPatience) {
    Running suite(hostmesh({"conformance", "--plugin", FAULTY_PLUGINS "/lib" + plugin + ".so", "--format",
                            "json", "--jobs", kIsSlow ? "4" : "16", "--patience", patience, "--only", only}));
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
  if (kIsSlow) GTEST_SKIP() << "with the patience that a sanitizer needs, some faults are none";
  // All but those of scale, which try the same things more often, unless they are those that should find it.
  const std::string all =
      "load.*,config.*,order.*,alloc.*,launch.*,client.*,output.*,stop.*,orphans.*,detect.*,secure.*," +
      joined(GetParam().found_by);
  Verdict verdict = judge(GetParam().plugin, kEveryCase ? all : joined(GetParam().found_by));

  std::erase_if(verdict.failed, [](const std::string& id) { return GetParam().may_be_found_by(id); });
  // On a machine that is busy a case may just have been out of time, which is no fault of the plugin.
  Ids late;
  std::ranges::set_difference(verdict.failed, GetParam().found_by, std::inserter(late, late.end()));
  if (!late.empty()) {
    const Verdict patient = judge(GetParam().plugin, joined(late), kMuchPatience);
    verdict.text += "\nwith more time:\n" + patient.text;
    std::erase_if(verdict.failed, [&](const std::string& id) {
      return !GetParam().found_by.contains(id) && !patient.failed.contains(id);
    });
  }
  EXPECT_EQ(verdict.failed, GetParam().found_by) << verdict.text;
}

#if defined(EVERY_CASE)
TEST_F(FaultyPlugins, ConformWhenTheyHaveNoFault) {
  const Verdict verdict = judge("none", "*", kMuchPatience);

  EXPECT_EQ(verdict.failed, Ids{}) << verdict.text;
  EXPECT_GT(verdict.passed, 20U);
}

INSTANTIATE_TEST_SUITE_P(OfEveryCase, FaultyPlugin, ::testing::ValuesIn(faults()),
                         [](const auto& one) { return one.param.plugin; });
#else
INSTANTIATE_TEST_SUITE_P(OfItsCases, FaultyPlugin, ::testing::ValuesIn(faults()),
                         [](const auto& one) { return one.param.plugin; });

TEST_F(FaultyPlugins, AreAllInTheTable) {
  Ids there;
  for (const auto& file : std::filesystem::directory_iterator(FAULT_SOURCES)) {
    there.insert(file.path().stem().string());
  }
  Ids listed = {"none"};
  for (const Fault& fault : faults()) listed.insert(fault.plugin);

  EXPECT_EQ(there, listed);
}
#endif

}  // namespace
}  // namespace hostmesh::test
