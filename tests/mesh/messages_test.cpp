#include "hostmesh/mesh/messages.hpp"

#include <gtest/gtest.h>

#include "hostmesh/wire/codec.hpp"
#include "hostmesh/wire/message.hpp"

namespace hostmesh {
namespace {

TEST(MeshMessages, BytesOfSignalProcsAreFixed) {
  const Bytes bytes = wire::encode(SignalProcs{.mesh = "m", .signal = 10});

  EXPECT_EQ(bytes, (Bytes{9, 0, 0, 0,  // its length
                          1, 0, 0, 0, 'm', 10, 0, 0, 0}));
  EXPECT_EQ(wire::message_name<SignalProcs>(), "host_agent.signal_procs");
}

TEST(MeshMessages, BytesOfAProcTemplateAreFixed) {
  const ProcTemplate proc{.kind = ProcTemplate::Kind::kCommand,
                          .argv = {"a"},
                          .environment = {},
                          .working_directory = "/",
                          .stderr_use = ProcTemplate::Stderr::kWithStdout};

  EXPECT_EQ(wire::encode(proc), (Bytes{23, 0, 0, 0,                     // its length
                                       1,  2,                           // the kind
                                       1,  0, 0, 0, 1,   0, 0, 0, 'a',  // argv
                                       0,  0, 0, 0,                     // environment
                                       1,  0, 0, 0, '/',                // the folder
                                       1,  2,                           // stderr
                                       0}));                            // takes_hosts_own
}

// As a client of an earlier version sends it.
TEST(MeshMessages, AProcTemplateWithoutAWordAboutStderrHasItApart) {
  const Bytes earlier{14, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

  const auto proc = wire::decode<ProcTemplate>(earlier);

  ASSERT_TRUE(proc) << proc.error().text();
  EXPECT_EQ(proc->stderr_use, ProcTemplate::Stderr::kOwn);
}

}  // namespace
}  // namespace hostmesh
