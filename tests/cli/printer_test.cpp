#include "printer.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <random>

#include "hostmesh/base/fd.hpp"

namespace hostmesh::cli {
namespace {

namespace json = boost::json;

// What is written to our stdout meanwhile.
class Captured {
 public:
  Captured() : former_(::dup(STDOUT_FILENO)), file_(::memfd_create("stdout", MFD_CLOEXEC)) {
    ::dup2(file_.get(), STDOUT_FILENO);
  }
  ~Captured() { end(); }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  std::string end() {
    if (former_) ::dup2(former_.get(), STDOUT_FILENO);
    former_.reset();
    std::string text(static_cast<std::size_t>(::lseek(file_.get(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(file_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }

 private:
  UniqueFd former_;
  UniqueFd file_;
};

class RandomText {
 public:
  std::string operator()() {
    std::string text(random_() % 24, '\0');
    for (char& each : text)
      each = static_cast<char>(random_() % 3 == 0 ? random_() % 256 : 'a' + random_() % 26);
    return text;
  }
  std::mt19937& random() { return random_; }

 private:
  std::mt19937 random_{20261127};
};

StopReason random_reason(RandomText& text) {
  StopReason reason;
  reason.kind = text.random()() % 2 == 0 ? StopReason::Kind::kExited : StopReason::Kind::kWatchdog;
  reason.detail = text();
  reason.stderr_tail = {text(), text()};
  return reason;
}

Bytes bytes_of(const std::string& text) {
  return Bytes(text.begin(), text.end());
}

TEST(JsonEvents, AreJsonWhateverTheTextsInThemAre) {
  RandomText text;
  const Extent extent{{"hosts", 2}};
  const Point point = *extent.point_of_rank(1);
  Captured captured;
  std::size_t events = 0;
  const auto now = HeldLines::TimePoint() + std::chrono::seconds(1);
  {
    Printer printer(
        Format::kJson, Labels::kNone, [] { return Patience::kEndless; }, -1);
    for (int round = 0; round < 300; ++round) {
      printer.state(
          ProcCreated{.create_key = ShortUuid::random(), .rank = 1, .point = point, .pid = 7, .node = text()},
          0.5);
      printer.state(ProcStopped{.create_key = ShortUuid::random(), .rank = 1, .reason = random_reason(text)},
                    0.5);
      printer.state(AllocFailed{.error = Error(ErrorInfo{.cause = Cause::kPlugin,
                                                         .message = text(),
                                                         .host = text(),
                                                         .phase = text(),
                                                         .command = text(),
                                                         .exit_status = text(),
                                                         .last_lines = {text()},
                                                         .hint = text()})},
                    0.5);
      printer.output({.rank = 1, .what = ProcOutput::What::kStdout, .bytes = bytes_of("x" + text() + "\n")},
                     0.5, now);
      ProcOutput end{.rank = 1, .what = ProcOutput::What::kEnd, .bytes = {}};
      if (round % 2 == 0) {
        end.reason = random_reason(text);
      } else {
        end.failure = text();
      }
      printer.output(end, 0.5, now);
      printer.left_behind(1, {text(), text()}, 0.5);
      ProcChange change{.rank = 1, .status = Status::failed(text()), .pid = 1, .reason = std::nullopt};
      printer.proc(change, ProcId::direct(*ChannelAddr::parse("unix:@x"), "client"), 0.5);
    }
    printer.end(0, {});
  }
  const std::string all = captured.end();
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t newline = all.find('\n', at);
    ASSERT_NE(newline, std::string::npos);
    const std::string line = all.substr(at, newline - at);
    boost::system::error_code failure;
    const json::value value = json::parse(line, failure);  // refuses what is not UTF-8
    ASSERT_FALSE(failure) << line;
    ASSERT_TRUE(value.is_object());
    ASSERT_TRUE(is_valid_utf8(line)) << line;
    ++events;
    at = newline + 1;
  }
  EXPECT_GE(events, 300U * 7U);
}

}  // namespace
}  // namespace hostmesh::cli
