#include "hostmesh/actor/ids.hpp"

#include <gtest/gtest.h>

#include <unordered_set>
#include <vector>

#include "hostmesh/actor/ref.hpp"
#include "hostmesh/wire/codec.hpp"

namespace hostmesh {
namespace {

const ChannelAddr kAddr = *ChannelAddr::parse("tcp:[::1]:1234");

TEST(ProcId, HasOneTextForEachKind) {
  EXPECT_EQ(ProcId::direct(kAddr, "worker").text(), "tcp:[::1]:1234,worker");
  EXPECT_EQ(ProcId::ranked("alloc", 3).text(), "alloc[3]");
  EXPECT_EQ(ProcId().text(), "");
}

TEST(ProcId, TellsWhichKindItIs) {
  EXPECT_EQ(ProcId::direct(kAddr, "worker").as_direct(), (ProcId::Direct{kAddr, "worker"}));
  EXPECT_FALSE(ProcId::direct(kAddr, "worker").as_ranked());
  EXPECT_EQ(ProcId::ranked("alloc", 3).as_ranked(), (ProcId::Ranked{"alloc", 3}));
  EXPECT_FALSE(ProcId::ranked("alloc", 3).as_direct());
}

TEST(ActorId, HasOneTextForEachKind) {
  EXPECT_EQ((ActorId{ProcId::direct(kAddr, "test"), "testactor", 123}).text(),
            "tcp:[::1]:1234,test,testactor[123]");
  EXPECT_EQ((ActorId{ProcId::ranked("test", 234), "testactor", 6}).text(), "test[234].testactor[6]");
}

TEST(PortId, HasOneTextForEachKind) {
  EXPECT_EQ((PortId{{ProcId::direct(kAddr, "test"), "testactor", 0}, 123}).text(),
            "tcp:[::1]:1234,test,testactor[0][123]");
  EXPECT_EQ((PortId{{ProcId::ranked("test", 234), "testactor", 6}, 1}).text(), "test[234].testactor[6][1]");
}

TEST(Ids, ParseWhatTheyPrint) {
  const std::vector<ProcId> procs = {
      ProcId::direct(kAddr, "worker"),
      ProcId::direct(ChannelAddr::unix_abstract("4"), "my_proc-1abc"),
      ProcId::direct(ChannelAddr::unix_abstract("a,b%c"), "x"),
      ProcId::direct(ChannelAddr::unix_path("/tmp/with,comma[1]"), "x"),
      ProcId::direct(ChannelAddr::local(7), "1 odd, na%me[2]/"),
      ProcId::ranked("alloc", 18446744073709551615ULL),
      ProcId::ranked("-odd.alloc[1]", 0),
  };
  for (const ProcId& proc : procs) {
    EXPECT_EQ(ProcId::parse(proc.text()), proc) << proc.text();
    for (const char* name : {"actor", "a::b", "9lives", "with,comma.and[2]"}) {
      const ActorId actor{proc, name, 5};
      EXPECT_EQ(ActorId::parse(actor.text()), actor) << actor.text();
      const PortId port{actor, 1024};
      EXPECT_EQ(PortId::parse(port.text()), port) << port.text();
    }
  }
}

TEST(Ids, PercentEncodeWhatWouldNotParseBack) {
  EXPECT_EQ(ProcId::direct(ChannelAddr::unix_abstract("a,b%"), "p/q").text(), "unix:@a%2Cb%25,p%2Fq");
}

TEST(Ids, AcceptTheKnownForms) {
  EXPECT_EQ(ProcId::parse("test[234]"), ProcId::ranked("test", 234));
  EXPECT_EQ(ActorId::parse("test[234].testactor"), (ActorId{ProcId::ranked("test", 234), "testactor", 0}));
  EXPECT_EQ(ActorId::parse("unix:@4,my_proc,my_actor"),
            (ActorId{ProcId::direct(ChannelAddr::unix_abstract("4"), "my_proc"), "my_actor", 0}));
  const PortId port{{ProcId::ranked("test", 234), "testactor", 1}, 17867850292987402005ULL};
  EXPECT_EQ(PortId::parse("test[234].testactor[1][17867850292987402005<a::b::MyType>]"), port);
  EXPECT_EQ(PortId::parse("test[234].testactor[1][17867850292987402005<Map<A, B[2]>>]"), port);
}

TEST(Ids, RefuseEverythingElse) {
  for (const char* text : {"",
                           "test",
                           "(blah)",
                           "world(1, 2, 3)",
                           "-bar[1]",
                           "foo/bar[1]",
                           "r#true[1]",
                           "test[]",
                           "test[x]",
                           "test[1",
                           "test[-1]",
                           "test[18446744073709551616]",
                           "test[1]x",
                           "unix:@a,",
                           ",name",
                           "nonsense,name",
                           "unix:@a,-bar",
                           "unix:@a,foo/bar",
                           "unix:@a%,x",
                           "unix:@a%2,x",
                           "unix:@a%zz,x",
                           "unix:@a,name,"}) {
    EXPECT_FALSE(ProcId::parse(text)) << text;
  }
  for (const char* text :
       {"", "test[1]", "test[1].", "test[1].-bar", "test[1].a[", "test[1].a[]", "test[1].a[1][2]",
        "unix:@a,p", "unix:@a,p,", "unix:@a,p,a[1]x", "unix:@a,p,a,b", "test.testactor"}) {
    EXPECT_FALSE(ActorId::parse(text)) << text;
  }
  for (const char* text :
       {"", "test[1].a", "test[1].a[1]", "test[1].a[1][2][3]", "test[1].a[1][<x>]", ">]", "[1<"}) {
    EXPECT_FALSE(PortId::parse(text)) << text;
  }
}

TEST(Ids, SayWhatIsWrong) {
  const auto id = ActorId::parse("unix:@a,p,-bar");
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().cause(), Cause::kInvalidArgument);
  EXPECT_NE(id.error().text().find("'unix:@a,p,-bar' is not the id of an actor"), std::string::npos)
      << id.error().text();
}

TEST(Ids, OrderAndHash) {
  const ActorId a{ProcId::ranked("w", 1), "a", 0};
  const ActorId b{ProcId::ranked("w", 1), "a", 1};
  const ActorId c{ProcId::ranked("w", 2), "a", 0};
  EXPECT_LT(a, b);
  EXPECT_LT(b, c);
  const std::unordered_set<PortId> ports = {{a, 1}, {a, 1}, {b, 1}, {a, 2}};
  EXPECT_EQ(ports.size(), 3U);
}

struct Ping {};
struct Pinged {
  using Handles = Messages<Ping>;
};

TEST(Refs, TravelAsTheTextOfTheirId) {
  const auto ref = ActorRef<Pinged>::attest(*ActorId::parse("alloc[1].a[2]"));
  EXPECT_EQ(wire::decode<ActorRef<Pinged>>(wire::encode(ref)), ref);
  EXPECT_EQ(wire::encode(ref), wire::encode(std::string("alloc[1].a[2]")));
  const auto port = ref.port<Ping>();
  EXPECT_EQ(wire::decode<PortRef<Ping>>(wire::encode(port)), port);
  EXPECT_EQ(port.id().port, wire::message_port<Ping>());
  EXPECT_EQ(wire::decode<PortRef<Ping>>(wire::encode(PortRef<Ping>())), PortRef<Ping>());
}

}  // namespace
}  // namespace hostmesh
