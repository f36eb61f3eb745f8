#include "hostmesh/shape/status.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace hostmesh {
namespace {

using namespace std::chrono_literals;

std::vector<Status> in_order() {
  return {Status::not_exist(), Status::initializing(), Status::running(),
          Status::stopping(),  Status::stopped(),      Status::failed("a"),
          Status::failed("b"), Status::timeout(1s),    Status::timeout(30s)};
}

TEST(Status, IsOrderedByLifeThenByBadness) {
  const auto statuses = in_order();
  for (std::size_t i = 0; i + 1 < statuses.size(); ++i) EXPECT_LT(statuses[i], statuses[i + 1]);
}

TEST(Status, StoppingIsTerminatingButNotTerminated) {
  EXPECT_TRUE(Status::stopping().is_terminating());
  EXPECT_FALSE(Status::stopping().is_terminated());
  EXPECT_TRUE(Status::stopped().is_terminated());
}

TEST(Status, PredicatesSayForEachKindWhatItMeans) {
  struct Row {
    Status status;
    bool healthy, terminating, terminated, failure;
  };
  for (const Row& row :
       {Row{Status::not_exist(), false, false, false, false},
        Row{Status::initializing(), true, false, false, false},
        Row{Status::running(), true, false, false, false}, Row{Status::stopping(), false, true, false, false},
        Row{Status::stopped(), false, true, true, false}, Row{Status::failed("x"), false, true, true, true},
        Row{Status::timeout(1s), false, true, true, true}}) {
    EXPECT_EQ(row.status.is_healthy(), row.healthy) << row.status;
    EXPECT_EQ(row.status.is_terminating(), row.terminating) << row.status;
    EXPECT_EQ(row.status.is_terminated(), row.terminated) << row.status;
    EXPECT_EQ(row.status.is_failure(), row.failure) << row.status;
  }
}

TEST(Status, TextCarriesReasonAndTime) {
  EXPECT_EQ(Status::not_exist().text(), "NotExist");
  EXPECT_EQ(Status::running().text(), "Running");
  EXPECT_EQ(Status::failed("msg").text(), "Failed(msg)");
  EXPECT_EQ(Status::timeout(30'000'900us).text(), "Timeout(30.0009s)");
  EXPECT_EQ(Status::timeout(30'000'905'376ns).text(), "Timeout(30.000905376s)");
  EXPECT_EQ(Status::timeout(500ms).text(), "Timeout(0.5s)");
  EXPECT_EQ(Status::timeout(30s).text(), "Timeout(30s)");
  EXPECT_EQ(Status::timeout(-1s).text(), "Timeout(0s)");
}

TEST(Status, ItsTextParsesBack) {
  auto statuses = in_order();
  for (Status more : {Status::failed(""), Status::failed("exit (3) = bad;"), Status::timeout(1ns),
                      Status::timeout(30'000'905'376ns), Status::timeout(Duration::max())}) {
    statuses.push_back(std::move(more));
  }
  for (const Status& status : statuses) {
    const auto parsed = Status::parse(status.text());
    ASSERT_TRUE(parsed) << parsed.error().text();
    EXPECT_EQ(*parsed, status);
  }
}

TEST(Status, TextsThatAreNoStatusAreRefused) {
  for (const char* text :
       {"", "running", "Running(", "Running()", "Failed", "Failed(", "Failed(x", "Timeout", "Timeout()",
        "Timeout(30)", "Timeout(s)", "Timeout(-1s)", "Timeout(1.s)", "Timeout(.5s)", "Timeout(1e3s)",
        "Timeout(1.0000000001s)", "Timeout(9223372037s)", "Timeout(99999999999999999999s)", "Unknown(9)"}) {
    EXPECT_FALSE(Status::parse(text)) << text;
  }
}

TEST(Status, AKindOfANewerVersionStillHasAText) {
  EXPECT_EQ(Status{.kind = static_cast<StatusKind>(42)}.text(), "Unknown(42)");
}

}  // namespace
}  // namespace hostmesh
