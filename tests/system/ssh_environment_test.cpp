// Which variables a command on another machine gets.
#include "system/ssh_fixture.hpp"

namespace hostmesh::test {
namespace {

TEST_F(Ssh, VariablesOfThisMachineAndSecretsStayHereAndThoseOfTheHostHoldThere) {
  start_lab();  // where HOME is .../home
  set_environment("HOME", "/over/here");
  set_environment("DISPLAY", ":7");
  set_environment("MY_SECRET", "s");
  set_environment("ORDINARY", "o");
  const std::string script = "echo ${HOME##*/}/$DISPLAY/$MY_SECRET/$ORDINARY/${SSH_CONNECTION:+login}";
  struct Row {
    std::vector<std::string> options;
    std::string line;
  };
  for (const Row& row :
       {Row{{}, "home///o/login"}, Row{{"--export", "all"}, "here/:7/s/o/"},
        Row{{"--export", "none"}, "home////login"}, Row{{"--export", "MY_SECRET"}, "home//s//login"}}) {
    std::vector<std::string> options = row.options;
    options.emplace_back("--no-label");
    Running run(run_script(options, script));
    ASSERT_TRUE(run.finish());
    EXPECT_EQ(run.out(), row.line + "\n") << run.err();
  }
}

}  // namespace
}  // namespace hostmesh::test
