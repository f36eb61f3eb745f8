// A plugin that ends the program is named, with the call under way; the status is what it would have been.
#include <csignal>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

struct End {
  const char* call;
  const char* deed;
  int status;
  const char* line;
};

class EndsTheProgram : public SystemTest, public ::testing::WithParamInterface<End> {
 protected:
  void write_plugins_yaml(const std::string& call, const std::string& deed) const {
    write_file("plugins.yaml",
               "plugin_path: [" + std::string(SAMPLE_PLUGINS) +
                   "]\ndefault: x\nallocators:\n  x: {plugin: ends_the_program, options: {call: " + call +
                   ", deed: " + deed + "}}\n");
  }
};

TEST_P(EndsTheProgram, IsNamedWithItsCallAndTheStatusStays) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer has handlers of its own";
#endif
  const End& end = GetParam();
  write_plugins_yaml(end.call, end.deed);
  Running hostmesh(run({"--extent", "hosts=2"}, {"true"}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), end.status) << hostmesh.err();
  std::vector<std::string> ours;
  for (const std::string& line : lines_of(hostmesh.err())) {
    if (line.starts_with("hostmesh: ")) ours.push_back(line);
  }
  ASSERT_EQ(ours.size(), 1U) << hostmesh.err();
  EXPECT_EQ(ours.front(), "hostmesh: plugin 'ends_the_program' " + std::string(end.line));
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(
    Everywhere, EndsTheProgram,
    ::testing::Values(
        End{"launch", "crashes", 139, "crashed in its call 'launch' (rank 1): killed by signal 11 (SEGV)"},
        End{"launch", "overflows", 139, "crashed in its call 'launch' (rank 1): killed by signal 11 (SEGV)"},
        End{"launch", "aborts", 134, "crashed in its call 'launch' (rank 1): killed by signal 6 (ABRT)"},
        End{"launch", "terminates", 134, "crashed in its call 'launch' (rank 1): killed by signal 6 (ABRT)"},
        End{"launch", "exits", 5, "ended the program with exit(5) in its call 'launch' (rank 1)"},
        End{"launch", "_exits", 6, "ended the program with _exit(6) in its call 'launch' (rank 1)"},
        End{"launch", "quick_exits", 7, "ended the program with quick_exit() in its call 'launch' (rank 1)"},
        End{"create", "crashes", 139, "crashed in its call 'create': killed by signal 11 (SEGV)"},
        End{"create", "exits", 5, "ended the program with exit(5) in its call 'create'"},
        End{"destroy", "aborts", 134, "crashed in its call 'destroy': killed by signal 6 (ABRT)"},
        End{"thread", "crashes", 139, "crashed on a thread of its own: killed by signal 11 (SEGV)"},
        End{"thread", "terminates", 134, "crashed on a thread of its own: killed by signal 6 (ABRT)"},
        End{"thread", "exits", 5, "ended the program with exit(5) on a thread of its own"}),
    [](const auto& each) {
      std::string name = std::string(each.param.deed) + "_in_" + each.param.call;
      return name.front() == '_' ? "underscore" + name : name;
    });

}  // namespace
}  // namespace hostmesh::test
