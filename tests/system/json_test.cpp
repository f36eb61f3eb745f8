// The events of --json, as promised to programs that read them.
#include <sys/stat.h>

#include <boost/json.hpp>
#include <map>
#include <set>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

namespace json = boost::json;

class Json : public SystemTest {
 protected:
  using Events = std::vector<json::object>;

  // Every line of stdout as an event. One that cannot be parsed is a failure.
  static Events events_of(const std::string& out) {
    Events events;
    EXPECT_TRUE(out.empty() || out.back() == '\n') << "the last line is not whole";
    for (const std::string& line : lines_of(out)) {
      boost::system::error_code failure;
      const json::value value = json::parse(line, failure);
      EXPECT_FALSE(failure) << line;
      if (!failure && value.is_object()) events.push_back(value.as_object());
    }
    return events;
  }

  static Events of_kind(const Events& events, std::string_view kind) {
    Events chosen;
    for (const json::object& event : events) {
      if (event.at("event").as_string() == kind) chosen.push_back(event);
    }
    return chosen;
  }

  static std::string text(const json::object& event, std::string_view field) {
    return event.contains(field) ? json::serialize(event.at(field)) : "(absent)";
  }

  // For each create_key: created, at most one running, exactly one stopped, in this order.
  static void expect_lives_in_order(const Events& events) {
    std::map<std::string, std::string> lives;
    for (const json::object& event : events) {
      const std::string_view kind = event.at("event").as_string();
      if (kind == "created") lives[text(event, "create_key")] += "c";
      if (kind == "running") lives[text(event, "create_key")] += "r";
      if (kind == "stopped") lives[text(event, "create_key")] += "s";
    }
    for (const auto& [key, life] : lives) EXPECT_TRUE(life == "crs" || life == "cs") << key << ": " << life;
  }

  static void expect_one_end_and_last(const Events& events, int status) {
    ASSERT_EQ(of_kind(events, "end").size(), 1U);
    const json::object& end = events.back();
    ASSERT_EQ(text(end, "event"), "\"end\"");
    EXPECT_EQ(end.at("status").to_number<int>(), status);
    double sum = 0;
    for (const char* part : {"allocate_s", "spawn_s", "run_s", "shutdown_s"}) {
      const double seconds = end.at(part).to_number<double>();
      EXPECT_GE(seconds, 0) << part;
      sum += seconds;
    }
    EXPECT_GT(sum, 0);
    EXPECT_LE(sum, end.at("wall_s").to_number<double>());
  }
};

TEST_F(Json, TellsTheWholeStoryInOrder) {
  Running hostmesh(
      run_script({"--json", "--extent", "hosts=2", "--per-host", "procs=2"}, "echo hello; echo oh >&2"));

  ASSERT_TRUE(hostmesh.finish());

  const Events events = events_of(hostmesh.out());
  EXPECT_EQ(hostmesh.err(), "");
  EXPECT_EQ(hostmesh.status(), 0);
  expect_lives_in_order(events);
  expect_one_end_and_last(events, 0);
  EXPECT_EQ(of_kind(events, "created").size(), 2U);
  EXPECT_EQ(of_kind(events, "running").size(), 2U);
  EXPECT_EQ(of_kind(events, "stopped").size(), 2U);
  EXPECT_EQ(of_kind(events, "exit").size(), 4U);
  EXPECT_EQ(of_kind(events, "output").size(), 8U);
  EXPECT_EQ(of_kind(events, "failed").size(), 0U);
}

TEST_F(Json, EachEventHasItsFields) {
  Running hostmesh(run({"--json"}, {"echo", "hello"}));

  ASSERT_TRUE(hostmesh.finish());

  const Events events = events_of(hostmesh.out());
  const std::map<std::string, std::vector<std::string>> fields{
      {"created", {"rank", "point", "create_key", "pid", "node", "t"}},
      {"running", {"create_key", "rank", "proc_id", "addr", "t"}},
      {"stopped", {"create_key", "rank", "reason", "t"}},
      {"proc", {"rank", "proc_id", "pid", "status"}},
      {"output", {"rank", "stream", "line"}},
      {"exit", {"rank", "code"}},
      {"end", {"status", "wall_s", "allocate_s", "spawn_s", "run_s", "shutdown_s"}}};
  for (const auto& [kind, names] : fields) {
    const Events chosen = of_kind(events, kind);
    ASSERT_FALSE(chosen.empty()) << kind;
    for (const json::object& event : chosen) {
      for (const std::string& name : names)
        EXPECT_TRUE(event.contains(name)) << json::serialize(event) << " " << name;
    }
  }
  const json::object created = of_kind(events, "created").front();
  EXPECT_EQ(text(created, "point"), "{\"hosts\":0}");
  const json::object reason = of_kind(events, "stopped").front().at("reason").as_object();
  EXPECT_EQ(text(reason, "kind"), "\"stopped\"");
  EXPECT_EQ(text(reason, "code"), "0");
  EXPECT_EQ(text(reason, "core_dumped"), "false");
  EXPECT_EQ(text(reason, "stderr_tail"), "[]");
  EXPECT_EQ(text(of_kind(events, "output").front(), "line"), "\"hello\"");
  EXPECT_EQ(text(of_kind(events, "output").front(), "stream"), "\"stdout\"");
  EXPECT_EQ(text(of_kind(events, "exit").front(), "code"), "0");
}

TEST_F(Json, TimesHaveNoExponent) {
  Running hostmesh(run({"--json"}, {"true"}));

  ASSERT_TRUE(hostmesh.finish());

  for (const std::string& line : lines_of(hostmesh.out())) {
    for (const char* name : {"\"t\":", "_s\":"}) {
      for (std::size_t at = 0; (at = line.find(name, at)) != std::string::npos;) {
        at += std::string_view(name).size();
        const std::string number = line.substr(at, line.find_first_of(",}", at) - at);
        EXPECT_EQ(number.find_first_not_of("0123456789."), std::string::npos) << line;
        EXPECT_NE(number.find('.'), std::string::npos) << line;
      }
    }
  }
}

TEST_F(Json, EveryProcIsSeenToRunAndToEnd) {
  Running hostmesh(run({"--json", "--per-host", "procs=8"}, {"true"}));

  ASSERT_TRUE(hostmesh.finish());

  std::map<std::string, std::string> last;
  for (const json::object& event : of_kind(events_of(hostmesh.out()), "proc")) {
    last[text(event, "rank")] = text(event, "status");
    EXPECT_GT(event.at("pid").to_number<std::int64_t>(), 0);
  }
  EXPECT_EQ(last.size(), 8U);
  for (const auto& [rank, status] : last) EXPECT_EQ(status, "\"Stopped\"") << rank;
}

TEST_F(Json, OutputComesBeforeItsExit) {
  Running hostmesh(run_script({"--json", "--per-host", "procs=4"}, "seq 1000; printf last"));

  ASSERT_TRUE(hostmesh.finish());

  std::map<std::string, std::size_t> lines;
  std::set<std::string> ended;
  for (const json::object& event : events_of(hostmesh.out())) {
    if (text(event, "event") == "\"exit\"") ended.insert(text(event, "rank"));
    if (text(event, "event") != "\"output\"") continue;
    EXPECT_FALSE(ended.contains(text(event, "rank")));
    ++lines[text(event, "rank")];
  }
  EXPECT_EQ(ended.size(), 4U);
  for (const auto& [rank, count] : lines) EXPECT_EQ(count, 1001U) << rank;
}

TEST_F(Json, WhatIsNotUtf8IsReplaced) {
  Running hostmesh(run_script({"--json"}, "printf 'a\\377b\\n\\303\\244\\n\\302'"));

  ASSERT_TRUE(hostmesh.finish());

  const Events output = of_kind(events_of(hostmesh.out()), "output");
  ASSERT_EQ(output.size(), 3U);
  EXPECT_EQ(output[0].at("line").as_string(),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(output[1].at("line").as_string(), "\xC3\xA4");
  EXPECT_EQ(output[2].at("line").as_string(), "\xEF\xBF\xBD");
}

TEST_F(Json, ALongLineComesInPiecesThatSaySo) {
  Running hostmesh(run_script({"--json"}, "head -c 200000 /dev/zero | tr '\\0' x; echo"));

  ASSERT_TRUE(hostmesh.finish());

  std::size_t bytes = 0;
  const Events output = of_kind(events_of(hostmesh.out()), "output");
  ASSERT_GT(output.size(), 1U);
  for (const json::object& event : output) bytes += event.at("line").as_string().size();
  EXPECT_EQ(bytes, 200000U);
  EXPECT_EQ(text(output.front(), "continued"), "true");
  EXPECT_EQ(text(output.back(), "continued"), "(absent)");
}

TEST_F(Json, ALineThatIsNotCompletedComesInPiecesThatSaySo) {
  const std::string first = (folder() / "first").string();
  const std::string second = (folder() / "second").string();
  for (const std::string& fifo : {first, second}) ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  Running hostmesh(run_script(
      {"--json"}, "printf one; read word < " + first + "; echo ' two'; printf three; read word < " + second));

  ASSERT_TRUE(hostmesh.read_until_out("\"one\"")) << hostmesh.out();
  write_file("first", "go\n");
  ASSERT_TRUE(hostmesh.read_until_out("\"three\"")) << hostmesh.out();
  write_file("second", "go\n");
  ASSERT_TRUE(hostmesh.finish());

  std::vector<std::string> seen;
  for (const json::object& output : of_kind(events_of(hostmesh.out()), "output"))
    seen.push_back(text(output, "line") + " " + text(output, "continued"));
  EXPECT_EQ(seen, (std::vector<std::string>{"\"one\" true", "\" two\" (absent)", "\"three\" true",
                                            "\"\" (absent)"}));
}

TEST_F(Json, ASignalIsToldAsOne) {
  Running hostmesh(run_script({"--json"}, "kill -SEGV $$"));

  ASSERT_TRUE(hostmesh.finish());

  const Events events = events_of(hostmesh.out());
  ASSERT_EQ(of_kind(events, "exit").size(), 1U);
  EXPECT_EQ(text(of_kind(events, "exit").front(), "signal"), "11");
  EXPECT_EQ(text(of_kind(events, "exit").front(), "code"), "(absent)");
  expect_one_end_and_last(events, 139);
}

// Also when it does not come up: whoever was created is seen to stop, and the end is told.
TEST_F(Json, AFailedStartIsToldToItsEnd) {
  Running hostmesh(run({"--json", "--extent", "hosts=2"}, {"/no/such/command"}));

  ASSERT_TRUE(hostmesh.finish());

  const Events events = events_of(hostmesh.out());
  expect_lives_in_order(events);
  expect_one_end_and_last(events, 3);
  EXPECT_EQ(of_kind(events, "created").size(), 2U);
  EXPECT_EQ(of_kind(events, "stopped").size(), 2U);
}

}  // namespace
}  // namespace hostmesh::test
