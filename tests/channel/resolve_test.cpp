#include "hostmesh/channel/resolve.hpp"

#include <algorithm>

#include "channel/support.hpp"

namespace hostmesh::test {
namespace {

using Answer = Result<std::vector<ChannelAddr>>;

class Resolve : public ::testing::Test {
 protected:
  Answer ask(std::string_view text, Deadline deadline = Deadline::after(kHang)) {
    Watched<std::optional<Answer>> answer;
    auto question = loop_.call([&] {
      return resolve(loop_.reactor(), text, deadline,
                     [&](Answer came) { answer.change([&](auto& value) { value = std::move(came); }); });
    });
    EXPECT_TRUE(answer.wait([](const auto& value) { return value.has_value(); }));
    loop_.call([&] { question.reset(); });
    return answer.get().value_or(Error(Cause::kInternal, "no answer"));
  }
  Loop loop_;
};

TEST_F(Resolve, ANameOfThisMachineHasALoopbackAddressWithThePort) {
  const Answer answer = ask("tcp:localhost:4711");

  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_TRUE(std::all_of(answer->begin(), answer->end(), [](const ChannelAddr& addr) {
    return addr.is_loopback() && addr.number() == 4711;
  }));
}

TEST_F(Resolve, AnAddressIsItsOwnAnswer) {
  for (const char* text : {"tcp:10.1.2.3:5", "tcp:[::1]:5", "unix:@name"}) {
    const Answer answer = ask(text);
    ASSERT_TRUE(answer.has_value()) << text;
    ASSERT_EQ(answer->size(), 1U);
    EXPECT_EQ(answer->front().text(), text);
  }
}

TEST_F(Resolve, ANameThatNobodyHasIsNamedInTheError) {
  const Answer answer = ask("tcp:no-such-host.invalid:5");

  ASSERT_FALSE(answer.has_value());
  EXPECT_NE(answer.error().text().find("no-such-host.invalid"), std::string::npos) << answer.error().text();
}

TEST_F(Resolve, WhatIsNoAddressAtAllIsRefused) {
  for (const char* text :
       {"", "tcp:", "tcp:host", "tcp:host:port", "tcp:host:70000", "tcp:a b:5", "udp:host:5"}) {
    EXPECT_FALSE(ask(text).has_value()) << text;
  }
}

TEST_F(Resolve, AQuestionThatIsDroppedIsNeverAnswered) {
  Watched<int> answers;
  loop_.call([&] {
    resolve(loop_.reactor(), "tcp:10.1.2.3:5", Deadline::never(), [&](const Answer&) {
      answers.change([](int& count) { ++count; });
    }).reset();
  });

  loop_.call([] {});
  EXPECT_EQ(answers.get(), 0);
}

}  // namespace
}  // namespace hostmesh::test
