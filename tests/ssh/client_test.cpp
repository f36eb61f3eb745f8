#include "client.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace hostmesh_ssh {
namespace {

using namespace std::chrono_literals;

bool has(const Client& client, const std::string& option) {
  const auto words = client.words();
  return std::ranges::find(words, option) != words.end();
}

TEST(SshClient, ALoginMayPauseForTheConnectTimeout) {
  for (const auto connect : {1s, 3s, 10s, 60s, 61s}) {
    const KeepAlive alive = keep_alive_for(connect, 10s);
    EXPECT_GE(alive.interval * alive.count, connect);
  }
}

TEST(SshClient, AConnectionMayBeSilentForTheHeartbeatTimeout) {
  for (const auto heartbeat : {1s, 10s, 120s}) {
    const KeepAlive alive = keep_alive_for(3s, heartbeat);
    EXPECT_GE(alive.interval * alive.count, heartbeat);
    EXPECT_LE(alive.interval, 5s) << "a router on the way forgets connections that are silent for long";
  }
  EXPECT_EQ(keep_alive_for(10s, 0s), KeepAlive()) << "0 is for ever";
}

TEST(SshClient, ADurationIsWrittenAsAttributesAre) {
  EXPECT_EQ(duration_or("1m30s", 7s), 90s);
  EXPECT_EQ(duration_or("1.5s", 7s), 1500ms);
  EXPECT_EQ(duration_or("0", 7s), 0s);
  for (const char* wrong : {static_cast<const char*>(nullptr), "", "10", "s", "-1s", "1s x", "1e300h"})
    EXPECT_EQ(duration_or(wrong, 7s), 7s) << (wrong == nullptr ? "null" : wrong);
}

TEST(SshClient, WhatASessionIsStandsBeforeTheUsersOptions) {
  const Client client({.program = "ssh", .options = {"RemoteCommand=id", "LogLevel=DEBUG1"}});
  const auto words = client.words();

  const auto at = [&](const std::string& word) { return std::ranges::find(words, word) - words.begin(); };
  EXPECT_LT(at("RemoteCommand=none"), at("RemoteCommand=id"));
  EXPECT_LT(at("LogLevel=DEBUG1"), at("LogLevel=INFO"));
}

TEST(SshClient, AnOptionOfOursThatTheClientDoesNotKnowIsLeftOut) {
  Client client({.program = "ssh", .options = {"Nonsense=yes"}});

  EXPECT_TRUE(client.leave_out_unknown("command-line: line 0: Bad configuration option: sessiontype\r\n"));
  EXPECT_FALSE(has(client, "SessionType=default"));
  EXPECT_TRUE(has(client, "StdinNull=no"));

  EXPECT_FALSE(client.leave_out_unknown("command-line: line 0: Bad configuration option: sessiontype"));
  EXPECT_FALSE(client.leave_out_unknown("command-line: line 0: Bad configuration option: nonsense"));
  EXPECT_FALSE(client.leave_out_unknown("command-line: line 0: Bad configuration option: batchmode"))
      << "a client that may ask questions is not used";
  EXPECT_FALSE(client.leave_out_unknown("/etc/ssh/ssh_config: line 3: Bad configuration option: stdinnull"));
}

}  // namespace
}  // namespace hostmesh_ssh
