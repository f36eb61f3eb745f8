// The table of cases, and which of them apply to whom.
#include "hostmesh/conformance/case.hpp"

#include <gtest/gtest.h>

#include <set>

namespace hostmesh::conformance {
namespace {

PluginDescription with(Needs capabilities) {
  PluginDescription plugin;
  plugin.capabilities = capabilities;
  return plugin;
}

TEST(ConformanceCases, HaveEachAnIdOfTheirOwnASentenceARuleAndAFunction) {
  std::set<std::string_view> ids;
  for (const Case& each : all_cases()) {
    EXPECT_TRUE(ids.insert(each.id).second) << each.id;
    EXPECT_NE(each.id.find('.'), std::string_view::npos) << each.id;
    EXPECT_TRUE(each.sentence.ends_with('.')) << each.id;
    EXPECT_FALSE(each.rule.empty()) << each.id;
    EXPECT_NE(each.run, nullptr) << each.id;
    EXPECT_GT(each.deadline, Duration::zero()) << each.id;
  }
}

TEST(ConformanceCases, BuildOnCasesThatBuildOnNothing) {
  for (const Case& each : all_cases()) {
    if (each.builds_on.empty()) continue;
    const Case* base = find_case(each.builds_on);
    ASSERT_NE(base, nullptr) << each.id;
    EXPECT_TRUE(base->builds_on.empty()) << each.id;
    EXPECT_EQ(base->needs & ~each.needs, 0U) << each.id << " applies where " << base->id << " does not";
  }
}

TEST(ConformanceCases, ApplyToPluginsThatHaveWhatTheyNeed) {
  const Case needs_output{.id = "x.y", .sentence = "", .needs = needs::kOutput | needs::kSignal, .rule = ""};

  EXPECT_EQ(why_not(needs_output, with(needs::kOutput | needs::kSignal)), "");
  EXPECT_EQ(why_not(needs_output, with(needs::kOutput)), "it does not have: signal");
}

TEST(ConformanceCases, OfCommandsDoNotApplyToProcsInTheProcess) {
  const Case needs_processes{.id = "x.y", .sentence = "", .needs = needs::kProcesses, .rule = ""};

  EXPECT_EQ(why_not(needs_processes, with(0)), "");
  EXPECT_EQ(why_not(needs_processes, with(needs::kLocalProcs)), "its launches are procs, not processes");
}

TEST(ConformanceCases, AreChosenByPatterns) {
  EXPECT_TRUE(matches("order.one-end", "order.*"));
  EXPECT_TRUE(matches("order.one-end", "stop.term,order.one-end"));
  EXPECT_FALSE(matches("order.one-end", "stop.*,order.one"));
}

}  // namespace
}  // namespace hostmesh::conformance
