#include "hostmesh/bootstrap/tcp_names.hpp"

#include <gtest/gtest.h>

#include "channel/support.hpp"

namespace hostmesh::bootstrap::test {
namespace {

using hostmesh::test::kHang;
using hostmesh::test::Loop;
using hostmesh::test::Watched;

class TcpNamesTest : public ::testing::Test {
 protected:
  void configure(std::string_view bind, std::string_view advertise) {
    config_.set(ConfigLayer::kRuntime, attribute::kTcpBind, bind);
    config_.set(ConfigLayer::kRuntime, attribute::kTcpAdvertise, advertise);
  }
  // What resolving gives, and then bind() and advertise(), as one text.
  std::string resolved() {
    Watched<std::optional<Result<>>> answer;
    std::unique_ptr<TcpNames> names;
    loop_.call([&] {
      names = std::make_unique<TcpNames>(loop_.reactor(), config_);
      names->resolve(Deadline::after(kHang),
                     [&](const Result<>& result) { answer.change([&](auto& value) { value = result; }); });
    });
    EXPECT_TRUE(answer.wait([](const auto& value) { return value.has_value(); }));
    return loop_.call([&] {
      const auto bind = names->bind();
      const auto advertise = names->advertise();
      names.reset();
      const auto result = *answer.get();
      if (!result) return result.error().text();
      if (!bind) return bind.error().text();
      return advertise ? bind->name() + " " + *advertise : advertise.error().text();
    });
  }

  Config config_;
  Loop loop_;
};

TEST_F(TcpNamesTest, NumericAddressesAreTakenAsTheyAreAndAtOnce) {
  configure("0.0.0.0", "10.1.2.3");
  EXPECT_EQ(resolved(), "0.0.0.0 10.1.2.3");

  bool answered = false;
  loop_.call([&] {
    TcpNames(loop_.reactor(), config_).resolve(Deadline::after(kHang), [&](const Result<>& result) {
      answered = result.has_value();
    });
  });
  EXPECT_TRUE(answered);
}

// Who resolves early and needs the address later is told then.
TEST_F(TcpNamesTest, ANameThatWasNotFoundIsToldToWhoeverAsksForItsAddress) {
  configure("0.0.0.0", "no-such-host.invalid");
  Watched<bool> answered;
  std::unique_ptr<TcpNames> names;
  loop_.call([&] {
    names = std::make_unique<TcpNames>(loop_.reactor(), config_);
    names->resolve(Deadline::after(kHang),
                   [&](const Result<>&) { answered.change([](bool& is) { is = true; }); });
  });
  ASSERT_TRUE(answered.wait([](bool is) { return is; }));

  const std::string text = loop_.call([&] {
    const auto advertise = names->advertise();
    names.reset();
    return advertise ? *advertise : advertise.error().text();
  });

  EXPECT_NE(text.find("TCP_ADVERTISE is 'no-such-host.invalid': "), std::string::npos) << text;
}

// "10.1" is no numeric address here, and the resolver needs nobody to know what it is.
TEST_F(TcpNamesTest, NamesBecomeNumeric) {
  configure("0.0.0.0", "10.1");
  EXPECT_EQ(resolved(), "0.0.0.0 10.0.0.1");
  configure("10.1", "");
  EXPECT_EQ(resolved(), "10.0.0.1 ");
}

TEST_F(TcpNamesTest, AnAddressMayEndWithPorts) {
  const auto ports = [this](const std::string& bind) -> std::string {
    configure(bind, "");
    const auto found = loop_.call([&] { return TcpNames(loop_.reactor(), config_).ports(); });
    return found ? std::to_string(found->first) + " " + std::to_string(found->last) : found.error().text();
  };
  EXPECT_EQ(ports("10.1.2.3:5000-5100"), "5000 5100");
  EXPECT_EQ(resolved(), "10.1.2.3 ");
  EXPECT_EQ(ports("[::1]:5000"), "5000 5000");
  EXPECT_EQ(resolved(), "::1 ");
  EXPECT_EQ(ports(":5000-5100"), "5000 5100");
  EXPECT_EQ(resolved(), "127.0.0.1 ");
  EXPECT_EQ(ports("10.1:7-8"), "7 8");
  EXPECT_EQ(resolved(), "10.0.0.1 ");
  for (const char* any : {"10.1.2.3", "::1", "[::1]"}) EXPECT_EQ(ports(any), "0 0") << any;
  for (const char* wrong :
       {"10.1.2.3:", "10.1.2.3:0", "10.1.2.3:x", "10.1.2.3:9-8", "10.1.2.3:70000", "[::1]:1-"})
    EXPECT_NE(ports(wrong).find("is no range of ports"), std::string::npos) << wrong;
}

TEST_F(TcpNamesTest, BeforeItIsResolvedANameIsAnError) {
  configure("10.1", "");
  const auto bind = loop_.call([&] { return TcpNames(loop_.reactor(), config_).bind(); });
  ASSERT_FALSE(bind);
  EXPECT_NE(bind.error().text().find("TCP_BIND is '10.1'"), std::string::npos) << bind.error().text();
}

TEST_F(TcpNamesTest, ANameThatNobodyHasIsNamedWithItsAttribute) {
  configure("no-such-host.invalid", "");
  const std::string text = resolved();
  EXPECT_NE(text.find("TCP_BIND is 'no-such-host.invalid': no address is known"), std::string::npos) << text;
}

TEST_F(TcpNamesTest, ANameThatOnlyThisMachineCanUseIsNotToldToOthers) {
  configure("0.0.0.0", "127.1");
  EXPECT_NE(resolved().find("TCP_ADVERTISE is '127.1', which on this machine is 127.0.0.1: others cannot"),
            std::string::npos)
      << resolved();
  configure("127.1", "");
  EXPECT_NE(resolved().find("TCP_BIND is '127.1'"), std::string::npos) << resolved();
  configure("127.0.0.1", "127.1");
  EXPECT_EQ(resolved(), "127.0.0.1 127.0.0.1");
}

TEST_F(TcpNamesTest, WhatIsToldIsOfTheKindThatIsListenedAt) {
  configure("fd00::1", "10.1");
  EXPECT_NE(resolved().find("nobody listens there"), std::string::npos) << resolved();
}

TEST_F(TcpNamesTest, EveryAddressCannotBeDialled) {
  configure("0.0.0.0", "");
  EXPECT_NE(resolved().find("set TCP_ADVERTISE"), std::string::npos) << resolved();
}

}  // namespace
}  // namespace hostmesh::bootstrap::test
