#include "hostmesh/base/thread.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "hostmesh/base/fault.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/base/reactor.hpp"

namespace hostmesh {
namespace {

bool is_blocked(int number) {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return ::sigismember(&mask, number) == 1;
}

class Threads : public ::testing::Test {
 protected:
  ~Threads() override { fault::set_plan(""); }
};

TEST_F(Threads, HaveTheirNameAndNoSignalsButThoseOfTheirOwnFaults) {
  std::array<char, 16> name{};
  bool term = false;
  bool segv = true;
  auto thread = start_thread("hm-test", [&] {
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    term = is_blocked(SIGTERM);
    segv = is_blocked(SIGSEGV);
  });
  ASSERT_TRUE(thread);
  thread->join();
  EXPECT_STREQ(name.data(), "hm-test");
  EXPECT_TRUE(term);
  EXPECT_FALSE(segv);
  EXPECT_FALSE(is_blocked(SIGTERM));
}

TEST_F(Threads, ThatCannotBeMadeAreAnErrorThatSaysWhichAndWhatToTry) {
  fault::set_plan("client:thread:1");
  bool ran = false;
  const auto none = start_thread("hm-test", [&] { ran = true; });
  ASSERT_FALSE(none);
  EXPECT_FALSE(ran);
  EXPECT_EQ(none.error().cause(), Cause::kResourceLimit);
  EXPECT_NE(none.error().text().find("no thread 'hm-test'"), std::string::npos) << none.error().text();
  EXPECT_NE(none.error().text().find("EAGAIN"), std::string::npos);
  EXPECT_NE(none.error().text().find("ulimit -u"), std::string::npos);
  EXPECT_FALSE(is_blocked(SIGTERM)) << "the caller's own mask";
  auto next = start_thread("hm-test", [] {});
  ASSERT_TRUE(next) << "only the first was to fail";
  next->join();
}

template <class Throw>
Error error_of(Throw thrower) {
  try {
    thrower();
  } catch (...) {
    return error_of_exception("opening the door", "door", Cause::kIo);
  }
  return Error();
}

TEST(Exceptions, OfTheStandardLibraryBecomeErrorsWithCausePhaseAndEvidence) {
  const Error memory = error_of([] { throw std::bad_alloc(); });
  EXPECT_EQ(memory.cause(), Cause::kResourceLimit);
  EXPECT_EQ(memory.info().os_error, ENOMEM);
  EXPECT_EQ(memory.info().phase, "door");
  const Error descriptors =
      error_of([] { throw std::system_error(EMFILE, std::system_category(), "a pipe"); });
  EXPECT_EQ(descriptors.cause(), Cause::kResourceLimit);
  EXPECT_NE(descriptors.text().find("ulimit -n"), std::string::npos) << descriptors.text();
  const Error other = error_of([] { throw std::system_error(EACCES, std::generic_category()); });
  EXPECT_EQ(other.cause(), Cause::kIo);
  EXPECT_EQ(other.info().os_error, EACCES);
  EXPECT_NE(error_of([] { throw std::runtime_error("it is shut"); }).text().find("it is shut"),
            std::string::npos);
  const Error own = error_of([] { throw Error(Cause::kTimeout, "too late"); });
  EXPECT_EQ(own.cause(), Cause::kTimeout);
  EXPECT_EQ(own.info().phase, "door");
  EXPECT_EQ(error_of([] { throw 7; }).cause(), Cause::kIo);
}

TEST(Exhaustion, IsAResourceLimitWithAHintWhereverItIsMet) {
  const Error error = os_error(Cause::kIo, "open /x", EMFILE);
  EXPECT_EQ(error.cause(), Cause::kResourceLimit);
  EXPECT_NE(error.info().hint, "");
  EXPECT_EQ(os_error(Cause::kIo, "open /x", EACCES).cause(), Cause::kIo);
}

TEST(Errors, HaveNothingInTheirTextThatLooksLikeAnotherLine) {
  const Error error(ErrorInfo{.cause = Cause::kRemote,
                              .message = "it said \x1b[2J",
                              .host = "node\nhostmesh: all is well",
                              .command = "a\rb",
                              .last_lines = {"one\nhostmesh: forged", "\xFF"}});
  EXPECT_EQ(error.text(),
            "host node\\nhostmesh: all is well: it said \\x1b[2J; command: a\\rb; last lines of its stderr:\n"
            "  | one\\nhostmesh: forged\n  | \\xff");
}

TEST(ReactorFailure, AnExceptionOutOfAHandlerIsToldAndTheNextHandlerRuns) {
  Reactor reactor;
  std::vector<std::string> told;
  reactor.on_failure([&](const Error& error) { told.push_back(error.text()); });
  reactor.post([] { throw std::bad_alloc(); });
  reactor.post([] { throw std::runtime_error("a bug"); });
  bool ran = false;
  reactor.post([&] {
    ran = true;
    reactor.stop();
  });
  reactor.run();
  EXPECT_TRUE(ran);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_NE(told[0].find("ENOMEM"), std::string::npos) << told[0];
  EXPECT_NE(told[1].find("a bug"), std::string::npos) << told[1];
}

TEST(LogLines, AreOneLineEachWhateverIsInThemAndBounded) {
  ::testing::internal::CaptureStderr();
  log::warning("first\n2026-01-01T00:00:00 hostmesh[1] error forged \x1b[31m \xFF " +
               log::field("key", "a\nb \"c\""));
  log::warning(std::string(100'000, 'x'));
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text.substr(0, 500);
  EXPECT_NE(text.find("first\\n2026"), std::string::npos);
  EXPECT_NE(text.find("\\x1b[31m \\xff"), std::string::npos);
  EXPECT_NE(text.find("key=\"a\\nb \\\"c\\\"\""), std::string::npos) << text.substr(0, 500);
  EXPECT_LT(text.size(), 20'000U);
  EXPECT_NE(text.find("bytes more)"), std::string::npos);
}

}  // namespace
}  // namespace hostmesh
