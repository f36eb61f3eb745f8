// What is shown of a run, in each format.
#include "hostmesh/conformance/format.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace hostmesh::conformance {
namespace {

const Case kGood{.id = "a.good", .sentence = "It is good.", .rule = "a rule"};
const Case kBad{.id = "a.bad", .sentence = "It is <bad>.", .rule = "a rule"};
const Case kUnwise{.id = "b.unwise", .sentence = "It is wise.", .level = Level::kShould, .rule = "a rule"};
const Case kOther{.id = "b.other", .sentence = "It is other.", .rule = "a rule"};

Report a_report() {
  Report report;
  report.plugin.name = "sample";
  report.plugin.version = "1.2.3";
  report.outcomes = {
      {.which = &kGood, .verdict = Outcome::Verdict::kPassed},
      {.which = &kBad,
       .verdict = Outcome::Verdict::kFailed,
       .expected = "the good",
       .seen = "the bad & \"ugly\"",
       .events = {{std::chrono::milliseconds(250), "something happens"}},
       .last_lines = {"its last words"}},
      {.which = &kUnwise, .verdict = Outcome::Verdict::kFailed, .expected = "wisdom", .seen = "none"},
      {.which = &kOther, .verdict = Outcome::Verdict::kSkipped, .why = "it does not have: output"},
  };
  return report;
}

std::string shown_as(std::string_view format, const Report& report = a_report()) {
  const auto formatter = make_formatter(format);
  ::testing::internal::CaptureStdout();
  formatter->begin(report.outcomes.size());
  formatter->plugin(report.plugin);
  for (const Outcome& outcome : report.outcomes) formatter->outcome(outcome);
  formatter->end(report);
  return ::testing::internal::GetCapturedStdout();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ConformanceFormats, TellPeopleWhatWasExpectedAndSeenAndWhatLedThere) {
  const std::string text = shown_as("");

  for (const char* part :
       {"ok    a.good", "FAIL  a.bad", "expected:  the good", "seen:      the bad & \"ugly\"",
        "0.25s  something happens", "its last words", "warn  b.unwise",
        "skip  b.other: it does not have: output", "4 cases: 1 passed, 1 failed, 1 warning, 1 skipped",
        "sample 1.2.3 does not conform: a.bad"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

// A hundred lines more would push the reason off the screen.
TEST(ConformanceFormats, TellPeopleWhyAPluginCannotBeUsedAndNotWhatWasSkippedForIt) {
  Report report = a_report();
  report.outcomes.back().why = std::string(kNotUsable) + ": a.bad";

  const std::string text = shown_as("", report);

  EXPECT_TRUE(contains(text, "FAIL  a.bad")) << text;
  EXPECT_FALSE(contains(text, "b.other")) << text;
  EXPECT_TRUE(contains(text, "1 skipped")) << text;
}

TEST(ConformanceFormats, TapCountsAWarningAsNoFailure) {
  const std::string text = shown_as("tap");

  for (const char* part : {"TAP version 13\n1..4\n", "ok 1 - a.good: It is good.\n", "not ok 2 - a.bad",
                           "# expected:  the good\n", "not ok 3 - b.unwise: It is wise. # TODO SHOULD\n",
                           "ok 4 - b.other: It is other. # SKIP it does not have: output\n"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST(ConformanceFormats, JunitEscapesWhatXmlDoesNotAllow) {
  const std::string text = shown_as("junit");

  for (const char* part :
       {"tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"2\"",
        "<failure message=\"the bad &amp; &quot;ugly&quot;\">must hold: It is &lt;bad&gt;.",
        "<skipped message=\"SHOULD: none\"/>", "<skipped message=\"it does not have: output\"/>"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST(ConformanceFormats, JsonHasAllOfIt) {
  const auto all = boost::json::parse(shown_as("json")).as_object();

  EXPECT_FALSE(all.at("conforms").as_bool());
  EXPECT_EQ(all.at("warnings").to_number<int>(), 1);
  const auto& bad = all.at("cases").at(1).as_object();
  EXPECT_EQ(bad.at("verdict").as_string(), "failed");
  EXPECT_EQ(bad.at("events").at(0).at("event").as_string(), "something happens");
  EXPECT_EQ(all.at("cases").at(2).at("verdict").as_string(), "warned");
}

TEST(ConformanceFormats, AWarningConforms) {
  Report report = a_report();
  report.outcomes.erase(report.outcomes.begin() + 1);

  EXPECT_TRUE(contains(shown_as("", report), "sample 1.2.3 conforms"));
}

TEST(ConformanceFormats, ListsAreForPeopleForThePageAndForPrograms) {
  const std::vector<const Case*> cases = {&kBad, &kUnwise};

  EXPECT_TRUE(contains(list_cases(cases, ""), "a.bad (MUST)\n    It is <bad>."));
  EXPECT_TRUE(
      contains(list_cases(cases, "markdown"), "| `b.unwise` | SHOULD | It is wise. | none | 10s | a rule |"));
  EXPECT_EQ(boost::json::parse(list_cases(cases, "json")).as_array().size(), 2U);
  EXPECT_EQ(list_cases(cases, "tap"), "");
}

}  // namespace
}  // namespace hostmesh::conformance
