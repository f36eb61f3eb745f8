#include "hosts.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace hostmesh_ssh {
namespace {

std::vector<std::string> texts(const std::vector<std::string>& items) {
  std::vector<std::string> found;
  for (const Target& target : parse_hosts(items)) found.push_back(target.text());
  return found;
}

std::string refusal(const std::string& item) {
  try {
    parse_hosts({item});
  } catch (const std::invalid_argument& wrong) {
    return wrong.what();
  }
  return "";
}

using Texts = std::vector<std::string>;

TEST(SshHosts, AHostHasAUserAndAPortWhereTheyAreGiven) {
  const auto targets = parse_hosts({"ann@node1:2222", "node2"});

  EXPECT_EQ(targets, (std::vector<Target>{{.user = "ann", .host = "node1", .port = 2222},
                                          {.user = "", .host = "node2", .port = 0}}));
}

TEST(SshHosts, ARangeIsAsWideAsItsFirstNumber) {
  EXPECT_EQ(texts({"node[1-3]"}), (Texts{"node1", "node2", "node3"}));
  EXPECT_EQ(texts({"ann@n[08-10,20]-ib:22"}),
            (Texts{"ann@n08-ib:22", "ann@n09-ib:22", "ann@n10-ib:22", "ann@n20-ib:22"}));
  EXPECT_EQ(texts({"r[1-2]n[1-2]"}), (Texts{"r1n1", "r1n2", "r2n1", "r2n2"}));
}

TEST(SshHosts, CommasSeparateHostsOutsideBracketsOnly) {
  EXPECT_EQ(texts({"a, b[1,3],c"}), (Texts{"a", "b1", "b3", "c"}));
}

TEST(SshHosts, AnAddressOfVersionSixStandsInBrackets) {
  const auto targets = parse_hosts({"ann@[fe80::1]:2222"});

  ASSERT_EQ(targets.size(), 1U);
  EXPECT_EQ(targets[0].host, "fe80::1");
  EXPECT_EQ(targets[0].text(), "ann@[fe80::1]:2222");
}

TEST(SshHosts, TheLastAtSignEndsTheUser) {
  const auto targets = parse_hosts({"ann@example.com@node1:2222", "CORP\\bob@node2"});

  ASSERT_EQ(targets.size(), 2U);
  EXPECT_EQ(targets[0].user, "ann@example.com");
  EXPECT_EQ(targets[0].host, "node1");
}

TEST(SshHosts, AnAddressMayNameAnyDevice) {
  EXPECT_EQ(texts({"[fe80::1%wlp-s0]", "[fe80::1%br_lan]:22"}),
            (Texts{"[fe80::1%wlp-s0]", "[fe80::1%br_lan]:22"}));
}

TEST(SshHosts, ARefusalSaysWhatIsMeant) {
  EXPECT_NE(refusal("::1").find("an IPv6 address is written in brackets: [::1]"), std::string::npos);
  EXPECT_NE(refusal("fe80::1%eth0").find("in brackets"), std::string::npos);
  EXPECT_NE(refusal("[fe80::1").find("not closed with ']'"), std::string::npos);
  EXPECT_NE(refusal("[web:vars]").find("'web:vars' is no IPv6 address"), std::string::npos);
  EXPECT_NE(refusal(std::string("n1\0x", 4)).find("n1\\x00x"), std::string::npos);
  EXPECT_NE(refusal("n1 max_slots=3").find("a host may have slots, "), std::string::npos);
  EXPECT_NE(refusal("slots=3").find("there is no host before it"), std::string::npos);
  EXPECT_NE(refusal("n1 slots=0").find("at least 1"), std::string::npos);
  EXPECT_NE(refusal("n1 slots=x").find("'x' is no number"), std::string::npos);
}

TEST(SshHosts, ASettingBelongsToTheHostsOfTheItemBeforeIt) {
  const auto targets =
      parse_hosts({"a b[1-2] slots=4 environment=A=1,2 environment=B, c remote_command=x", "d"});

  ASSERT_EQ(targets.size(), 5U);
  EXPECT_EQ(targets[0].own, HostSettings());
  EXPECT_EQ(targets[1].own, targets[2].own);
  EXPECT_EQ(targets[2].own.slots, 4U);
  EXPECT_EQ(targets[2].own.environment, (Texts{"A=1,2", "B"}));
  EXPECT_EQ(targets[3].own.remote_command, "x");
  EXPECT_EQ(targets[4].own, HostSettings());
}

TEST(SshHosts, APortThatLooksLikeANumberOfRanksIsDoubted) {
  EXPECT_NE(doubt_about(parse_hosts({"n1:2"})[0]).find("slots=2"), std::string::npos);
  for (const char* item : {"n1", "n1:22", "n1:2222"}) EXPECT_EQ(doubt_about(parse_hosts({item})[0]), "");
}

TEST(SshHosts, AFileMayBeginWithAByteOrderMark) {
  const auto targets = parse_hosts_file("\xef\xbb\xbfn1 slots=2\r\nn2\r\n", "hosts");

  ASSERT_EQ(targets.size(), 2U);
  EXPECT_EQ(targets[0].host, "n1");
  EXPECT_EQ(targets[0].own.slots, 2U);
}

TEST(SshHosts, WhatSshWouldTakeForSomethingElseIsRefused) {
  for (const char* item :
       {"-oProxyCommand=x", "ann@-node", "node;id", "$(id)", "node[1-2", "node]1", "node[3-1]", "node[a]",
        "node:0", "node:70000", "node:x", "@node", "node[]", "node[1-9999999]"}) {
    EXPECT_NE(refusal(item), "") << item;
  }
  EXPECT_NE(refusal("node[3-1]").find("'node[3-1]' is no host: the range 3-1 goes backwards"),
            std::string::npos);
}

TEST(SshHosts, AFileHasCommentsAndSaysWhereItIsWrong) {
  const auto targets = parse_hosts_file("# all\nnode1 node2  # two\n\nnode[3-4]:2222\n", "hosts");
  ASSERT_EQ(targets.size(), 4U);
  EXPECT_EQ(targets[3].text(), "node4:2222");

  try {
    parse_hosts_file("node1\nnode:x\n", "hosts");
    FAIL();
  } catch (const std::invalid_argument& wrong) {
    EXPECT_EQ(std::string(wrong.what()).find("hosts:2: "), 0U) << wrong.what();
  }
}

}  // namespace
}  // namespace hostmesh_ssh
