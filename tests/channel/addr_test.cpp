#include "hostmesh/channel/addr.hpp"

#include <gtest/gtest.h>

#include <unordered_set>

#include "hostmesh/channel/bind_spec.hpp"

namespace hostmesh {
namespace {

TEST(ChannelAddr, TextFormsParseAndPrintBack) {
  const std::pair<const char*, const char*> table[] = {
      {"tcp:127.0.0.1:80", "tcp:127.0.0.1:80"},
      {"tcp!127.0.0.1:80", "tcp:127.0.0.1:80"},
      {"tcp:[::1]:1234", "tcp:[::1]:1234"},
      {"tcp:[0:0::1]:1234", "tcp:[::1]:1234"},
      {"tcp:0.0.0.0:0", "tcp:0.0.0.0:0"},
      {"local:123", "local:123"},
      {"local!0", "local:0"},
      {"local:18446744073709551615", "local:18446744073709551615"},
      {"unix:@yolo", "unix:@yolo"},
      {"unix!/tmp/a!b:c", "unix:/tmp/a!b:c"},
      {"unix:relative", "unix:relative"},
      {"tcp://127.0.0.1:9000", "tcp:127.0.0.1:9000"},
      {"tcp://[::1]:9000", "tcp:[::1]:9000"},
      {"tcp://*:9000", "tcp:[::]:9000"},
      {"inproc://7", "local:7"},
      {"ipc:///tmp/socket", "unix:/tmp/socket"},
      {"ipc://@name", "unix:@name"},
  };
  for (const auto& [given, expected] : table) {
    const auto addr = ChannelAddr::parse(given);
    ASSERT_TRUE(addr.has_value()) << given << ": " << addr.error().text();
    EXPECT_EQ(addr->text(), expected);
    EXPECT_EQ(*ChannelAddr::parse(addr->text()), *addr);
  }
}

TEST(ChannelAddr, ErrorsSayWhatIsWrong) {
  const std::pair<const char*, const char*> table[] = {
      {"tcp:abcdef..123124", "invalid socket address syntax"},
      {"tcp:localhost:80", "invalid socket address syntax"},
      {"tcp:127.0.0.1", "invalid socket address syntax"},
      {"tcp:127.0.0.1:65536", "invalid socket address syntax"},
      {"tcp:127.0.0.1:-1", "invalid socket address syntax"},
      {"tcp:127.0.0.1:", "invalid socket address syntax"},
      {"tcp:::1:80", "invalid socket address syntax"},
      {"tcp:[127.0.0.1]:80", "invalid socket address syntax"},
      {"unix:@", "invalid socket address syntax"},
      {"xxx:foo", "no such channel type: xxx"},
      {"zmq://foo", "no such channel type: zmq"},
      {"127.0.0.1", "no channel type specified"},
      {"127.0.0.1:80", "no channel type specified"},
      {"", "no channel type specified"},
      {"local:abc", "invalid digit found in string"},
      {"local:12x", "invalid digit found in string"},
      {"local:-1", "invalid digit found in string"},
      {"local:18446744073709551616", "number too large to fit in 64 bits"},
      {"inproc://name", "invalid digit found in string"},
      {"tcp://127.0.0.1", "invalid socket address syntax"},
      {"ipc://", "invalid socket address syntax"},
  };
  for (const auto& [given, expected] : table) {
    const auto addr = ChannelAddr::parse(given);
    ASSERT_FALSE(addr.has_value()) << given << " gave " << addr->text();
    EXPECT_EQ(addr.error().text(), expected) << given;
  }
}

TEST(ChannelAddr, AnEmptyUnixAddressIsARandomAbstractName) {
  const auto one = ChannelAddr::parse("unix:");
  const auto two = ChannelAddr::parse("unix:");

  ASSERT_TRUE(one && two);
  EXPECT_TRUE(one->is_abstract());
  EXPECT_EQ(one->name().size(), 24U);
  EXPECT_NE(*one, *two);
}

TEST(ChannelAddr, AnyIsWhatAListenerFillsIn) {
  EXPECT_EQ(ChannelAddr::any(Transport::kLocal).text(), "local:0");
  EXPECT_EQ(ChannelAddr::any(Transport::kTcp).text(), "tcp:127.0.0.1:0");
  EXPECT_TRUE(ChannelAddr::any(Transport::kTcp).is_any());
  EXPECT_FALSE(ChannelAddr::any(Transport::kUnix).is_any());
  EXPECT_FALSE(ChannelAddr().valid());
  EXPECT_EQ(ChannelAddr().text(), "");
}

TEST(ChannelAddr, LoopbackIsWhatOnlyThisMachineReaches) {
  for (const char* text : {"tcp:127.0.0.1:1", "tcp:127.9.9.9:1", "tcp:[::1]:1", "unix:@a", "local:1"}) {
    EXPECT_TRUE(ChannelAddr::parse(text)->is_loopback()) << text;
  }
  for (const char* text : {"tcp:10.0.0.1:1", "tcp:[::]:1", "tcp:0.0.0.0:1"}) {
    EXPECT_FALSE(ChannelAddr::parse(text)->is_loopback()) << text;
  }
}

TEST(ChannelAddr, IsOrderedAndHashable) {
  std::unordered_set<ChannelAddr> set;
  for (const char* text : {"unix:@a", "unix:a", "tcp:127.0.0.1:1", "local:1", "local:1"}) {
    set.insert(*ChannelAddr::parse(text));
  }
  EXPECT_EQ(set.size(), 4U);
  EXPECT_LT(*ChannelAddr::parse("local:1"), *ChannelAddr::parse("local:2"));
}

TEST(Transport, TextsParseBackAndOlderNamesAreKnown) {
  for (const Transport transport : {Transport::kLocal, Transport::kUnix, Transport::kTcp}) {
    EXPECT_EQ(*parse_transport(to_string(transport)), transport);
  }
  EXPECT_EQ(*parse_transport("tcp(Localhost)"), Transport::kTcp);
  EXPECT_EQ(*parse_transport("tcp(Hostname)"), Transport::kTcp);
  EXPECT_FALSE(parse_transport("metatls").has_value());
}

TEST(BindSpec, IsATransportOrAUrlOrAnAddress) {
  EXPECT_EQ(*BindSpec::parse("tcp"), BindSpec::any(Transport::kTcp));
  EXPECT_EQ(*BindSpec::parse("tcp(Localhost)"), BindSpec::any(Transport::kTcp));
  EXPECT_EQ(BindSpec::parse("tcp:127.0.0.1:8080")->binding_addr().text(), "tcp:127.0.0.1:8080");
  EXPECT_EQ(BindSpec::parse("tcp://127.0.0.1:8080")->binding_addr().text(), "tcp:127.0.0.1:8080");
  for (const char* text : {"invalid_spec", "unknown://scheme", "", "tcp://127.0.0.1:1@tcp://127.0.0.1:2"}) {
    EXPECT_FALSE(BindSpec::parse(text).has_value()) << text;
  }
}

TEST(BindSpec, AnyUnixBindsSomewhereNewEachTime) {
  const BindSpec spec = BindSpec::any(Transport::kUnix);
  EXPECT_NE(spec.binding_addr(), spec.binding_addr());
  EXPECT_EQ(*BindSpec::parse(spec.text()), spec);
}

}  // namespace
}  // namespace hostmesh
