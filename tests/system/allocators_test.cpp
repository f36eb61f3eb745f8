// hostmesh allocators: what plugins.yaml offers.
#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

using Allocators = SystemTest;

TEST_F(Allocators, AreListedAndTheDefaultIsMarked) {
  Running hostmesh(this->hostmesh({"allocators", "-c", plugins_yaml().string()}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0);
  EXPECT_EQ(hostmesh.err(), "");
  const auto lines = lines_of(hostmesh.out());
  ASSERT_EQ(lines.size(), 4U) << hostmesh.out();
  EXPECT_TRUE(lines[0].starts_with("process (default): plugin process 1.0.0")) << lines[0];
  EXPECT_TRUE(lines[1].starts_with("other: plugin process 1.0.0")) << lines[1];
}

TEST_F(Allocators, OneIsDescribedInFull) {
  Running hostmesh(this->hostmesh({"allocators", "-c", plugins_yaml().string(), "other"}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  for (const char* word :
       {"other", "process 1.0.0", "libprocess.so", "capabilities:", "signal", "options:"}) {
    EXPECT_NE(hostmesh.out().find(word), std::string::npos) << word << " is not in: " << hostmesh.out();
  }
}

TEST_F(Allocators, AnUnknownOneNamesTheNearest) {
  Running hostmesh(this->hostmesh({"allocators", "-c", plugins_yaml().string(), "othr"}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 2);
  EXPECT_NE(hostmesh.err().find("other"), std::string::npos) << hostmesh.err();
}

TEST_F(Allocators, OneThatCannotBeUsedIsToldWithTheReason) {
  write_file("plugins.yaml", "plugin_path: [.]\ndefault: a\nallocators:\n  a: {plugin: nosuch}\n");
  Running hostmesh(this->hostmesh({"allocators", "-c", plugins_yaml().string()}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 2);
  EXPECT_NE((hostmesh.out() + hostmesh.err()).find("nosuch"), std::string::npos)
      << hostmesh.out() << hostmesh.err();
}

}  // namespace
}  // namespace hostmesh::test
