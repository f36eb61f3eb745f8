#include "diagnosis.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "copies.hpp"

namespace hostmesh_ssh {
namespace {

TEST(SshDiagnosis, TheClientsWordsTellOneTroubleFromAnother) {
  struct Row {
    const char* words;
    Trouble trouble;
  };
  for (const Row& row : {
           Row{"kex_exchange_identification: Connection closed by remote host", Trouble::kBusy},
           Row{"kex_exchange_identification: read: Connection reset by peer\nConnection reset by 127.0.0.1 "
               "port 22",
               Trouble::kBusy},
           Row{"ssh: Could not resolve hostname x: Name or service not known", Trouble::kName},
           Row{"ssh: Could not resolve hostname x: Temporary failure in name resolution",
               Trouble::kNameForNow},
           Row{"ssh: connect to host x port 22: Connection refused", Trouble::kRefused},
           Row{"ssh: connect to host x port 22: No route to host", Trouble::kNoRoute},
           Row{"ssh: connect to host x port 22: Connection timed out", Trouble::kNoAnswer},
           Row{"Connection timed out during banner exchange\nConnection to x port 22 timed out",
               Trouble::kNoAnswer},
           Row{"No ED25519 host key is known for x and you have requested strict checking.\n"
               "Host key verification failed.",
               Trouble::kHostKey},
           Row{"ann@x: Permission denied (publickey).", Trouble::kLogin},
           Row{"Received disconnect from x port 22:2: Too many authentication failures", Trouble::kLogin},
           Row{"x: line 1: Bad configuration option: nonsense\nx: terminating, 1 bad configuration options",
               Trouble::kConfig},
           Row{"Unable to negotiate with x port 22: no matching host key type found. Their offer: ssh-rsa",
               Trouble::kMethods},
           Row{"kex_exchange_identification: banner line contains invalid characters\nbanner exchange: "
               "Connection "
               "to x port 80: invalid format",
               Trouble::kNoSsh},
           Row{"ssh: connect to host x port 22: Network is unreachable", Trouble::kNoRoute},
           Row{"@@@@@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@@@@@@@\n"
               "Host key for x has changed and you have requested strict checking.\n"
               "Host key verification failed.",
               Trouble::kChangedKey},
           Row{"Connection to x port 22 timed out", Trouble::kNoAnswer},
           Row{"Timeout, server x not responding.", Trouble::kNoAnswer},
           Row{"channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed\n"
               "kex_exchange_identification: Connection closed by remote host\n"
               "Connection closed by UNKNOWN port 65535",
               Trouble::kJump},
           Row{"channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed\n"
               "kex_exchange_identification: Connection closed by remote host\n"
               "Connection closed by UNKNOWN port 65535",
               Trouble::kRefused},
           Row{"something new", Trouble::kOther},
       }) {
    EXPECT_EQ(diagnose({.number = 255, .last_lines = row.words}), Diagnosis{row.trouble}) << row.words;
  }
}

// A banner, or a profile, may say anything.
TEST(SshDiagnosis, OnlySshsOwnLinesCountAndTheLastOfThem) {
  struct Row {
    const char* words;
    Trouble trouble;
  };
  for (const Row& row : {
           Row{"use is administratively prohibited without a permit\nann@x: Permission denied (publickey).",
               Trouble::kLogin},
           Row{"No route to host, they say\nann@x: Permission denied (publickey).", Trouble::kLogin},
           Row{"Connection refused. Permission denied (at once).", Trouble::kOther},
           Row{"See timeout, MaxStartups and kex_exchange_identification: in the manual.", Trouble::kOther},
           Row{"ssh: connect to host 10.0.0.1 port 22: Connection refused\n"
               "ssh: connect to host 10.0.0.2 port 22: No route to host",
               Trouble::kNoRoute},
       }) {
    EXPECT_EQ(diagnose({.number = 255, .last_lines = row.words}), Diagnosis{row.trouble}) << row.words;
  }
}

TEST(SshDiagnosis, WhatIsOfTheHostOnTheWayIsSaidOfThat) {
  const std::string end =
      "\nkex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port "
      "65535";
  for (const auto& [words, trouble] : std::vector<std::pair<std::string, Trouble>>{
           {"ann@jump: Permission denied (publickey).", Trouble::kLogin},
           {"No ED25519 host key is known for jump and you have requested strict checking.\n"
            "Host key verification failed.",
            Trouble::kHostKey},
           {"ssh: Could not resolve hostname jump: Name or service not known", Trouble::kName},
           {"ssh: connect to host jump port 22: Connection refused", Trouble::kRefused},
           {"kex_exchange_identification: read: Connection reset by peer\nConnection reset by jump port 22",
            Trouble::kBusy},
           {"/bin/sh: 1: exec: /no/such/proxy: not found", Trouble::kProxy},
           {"", Trouble::kBusy},
       }) {
    EXPECT_EQ(diagnose({.number = 255, .last_lines = words + end}), (Diagnosis{trouble, true})) << words;
  }
  EXPECT_EQ(meaning({.trouble = Trouble::kLogin, .is_on_the_way = true}),
            "at the host on the way to it: it refuses the login");
  EXPECT_FALSE(may_pass(Trouble::kProxy));
}

Trouble trouble_of(const ClientEnd& end) {
  EXPECT_FALSE(diagnose(end).is_on_the_way);
  return diagnose(end).trouble;
}

// Not a shell's words, which are in the language of the login.
TEST(SshDiagnosis, AShellIsUnderstoodByItsCode) {
  EXPECT_EQ(trouble_of({.number = 127, .last_lines = "bash: hostmesh-bootstrap: Befehl nicht gefunden"}),
            Trouble::kNoProgram);
  EXPECT_EQ(trouble_of({.number = 1, .last_lines = "hostmesh-bootstrap: Befehl nicht gefunden."}),
            Trouble::kNoProgram);
  EXPECT_EQ(
      trouble_of({.number = 1, .last_lines = "/home/ann/bin/hm: Command not found.", .command = "~/bin/hm"}),
      Trouble::kNoProgram);
  EXPECT_EQ(trouble_of({.number = 126, .last_lines = "bash: /x/hostmesh-bootstrap: Keine Berechtigung"}),
            Trouble::kCannotRun);
  EXPECT_EQ(trouble_of({.number = 0, .last_lines = "-bash: module: command not found"}), Trouble::kRemote);
  EXPECT_EQ(trouble_of({.number = 1, .last_lines = "cat: /etc/secret: Permission denied"}), Trouble::kRemote);
  EXPECT_EQ(trouble_of({.number = 113, .last_lines = "% "}), Trouble::kOtherShell);
  EXPECT_EQ(trouble_of({.number = 1, .last_lines = "Dropbear v2022.83"}), Trouble::kNotOpenSsh);
}

TEST(SshDiagnosis, AfterTheLoginTheCodeIsTheRemoteSides) {
  EXPECT_EQ(trouble_of({.number = 127, .last_lines = "sh: 1: x: not found"}), Trouble::kNoProgram);
  EXPECT_EQ(trouble_of({.number = 1, .last_lines = "x: Command not found.", .command = "x"}),
            Trouble::kNoProgram);
  EXPECT_EQ(trouble_of({.number = 127, .last_lines = "bash: line 1: hostmesh-bootstrap: command not found"}),
            Trouble::kNoProgram);
  EXPECT_EQ(trouble_of({.number = 127, .last_lines = "welcome\nhostmesh-bootstrap: prog: ENOENT"}),
            Trouble::kMissing);
  EXPECT_EQ(trouble_of({.number = 126, .last_lines = "hostmesh-bootstrap: prog: EACCES (Permission denied)"}),
            Trouble::kRemote);
  EXPECT_EQ(
      trouble_of({.number = 126, .last_lines = "bash: line 1: /x/hostmesh-bootstrap: Permission denied"}),
      Trouble::kCannotRun);
  EXPECT_EQ(
      trouble_of({.number = 126, .last_lines = "bash: /x/y: cannot execute binary file: Exec format error"}),
      Trouble::kMachine);
  EXPECT_EQ(trouble_of({.number = 1, .last_lines = "/x/hostmesh-bootstrap: Permission denied."}),
            Trouble::kCannotRun);
  EXPECT_EQ(trouble_of({.number = 1, .last_lines = "cat: write error: No space left on device"}),
            Trouble::kDiskFull);
  EXPECT_EQ(trouble_of({.number = 1, .last_lines = "cat: write error: Disk quota exceeded"}),
            Trouble::kDiskFull);
  EXPECT_EQ(trouble_of({.number = 127, .last_lines = std::string(kAbsent)}), Trouble::kNoCopy);
  EXPECT_EQ(
      trouble_of({.number = 126,
                  .last_lines = "hostmesh-bootstrap: this is version 1.0.0 of hostmesh, and its client is "
                                "2.0.0: both ends have to be of the same version"}),
      Trouble::kVersion);
  EXPECT_EQ(trouble_of({.number = 2, .last_lines = "it does nothing by hand."}), Trouble::kVersion);
  EXPECT_EQ(trouble_of(
                {.number = 1,
                 .last_lines = std::string(kUnusableFolder) + "/x cannot be made\nwhatever the daemon adds"}),
            Trouble::kNoFolder);
  EXPECT_EQ(trouble_of({.number = 126, .last_lines = std::string(kNoComparison)}), Trouble::kNoTools);
  EXPECT_EQ(trouble_of({.number = 1, .last_lines = "This account is currently not available."}),
            Trouble::kRemote);
  EXPECT_EQ(trouble_of({.by_signal = true, .number = 9}), Trouble::kClientGone);
}

TEST(SshDiagnosis, OnlyWhatPassesByItselfIsTriedAgain) {
  EXPECT_TRUE(may_pass(Trouble::kBusy));
  EXPECT_TRUE(may_pass(Trouble::kNameForNow));
  for (const Trouble trouble : {Trouble::kName, Trouble::kRefused, Trouble::kNoAnswer, Trouble::kHostKey,
                                Trouble::kLogin, Trouble::kNoProgram, Trouble::kRemote, Trouble::kOther}) {
    EXPECT_FALSE(may_pass(trouble));
  }
}

TEST(SshDiagnosis, WordsAreOneLineWithoutFrames) {
  EXPECT_EQ(words("@@@@@@@@\n@  WARNING @\n@@@@@@@@\n\nIt is also possible"),
            "@  WARNING @ / It is also possible");
  EXPECT_LT(words(std::string(5000, 'x')).size(), 700U);
}

}  // namespace
}  // namespace hostmesh_ssh
