#include <chrono>

#include "hostmesh/plugin/plugins_yaml.hpp"

namespace hostmesh {
namespace {

using namespace std::chrono_literals;

PluginDescription plugin() {
  PluginDescription description;
  description.name = "ssh";
  description.options = {
      {.key = "hosts", .type = OptionType::kStringList, .required = true, .doc = "where to launch"},
      {.key = "user", .type = OptionType::kString},
      {.key = "port", .type = OptionType::kInteger, .default_value = std::int64_t{22}},
      {.key = "compress", .type = OptionType::kBoolean, .default_value = false},
      {.key = "patience", .type = OptionType::kDuration, .default_value = Duration(10s)},
  };
  return description;
}

// An allocator whose options are `options`, each on a line of its own, the first on line 5 from column 7.
AllocatorEntry entry(const std::string& options) {
  const auto file =
      parse_plugins_yaml("allocators:\n  lab:\n    plugin: ssh\n    options:\n" + options, "p.yaml");
  EXPECT_TRUE(file) << file.error().text();
  return file->allocators.front();
}

std::string error_of(const std::string& options) {
  const auto values = validate_options(entry(options), plugin());
  return values ? "no error" : values.error().text();
}

TEST(Options, AreTyped) {
  const auto values = validate_options(entry("      hosts: [a, 'b', 7]\n"
                                             "      user: 1000\n"
                                             "      port: -2222\n"
                                             "      compress: true\n"
                                             "      patience: 1m30s\n"),
                                       plugin());

  ASSERT_TRUE(values) << values.error().text();
  EXPECT_EQ(values->at("hosts"), OptionValue(std::vector<std::string>{"a", "b", "7"}));
  EXPECT_EQ(values->at("user"), OptionValue(std::string("1000")));
  EXPECT_EQ(values->at("port"), OptionValue(std::int64_t{-2222}));
  EXPECT_EQ(values->at("compress"), OptionValue(true));
  EXPECT_EQ(values->at("patience"), OptionValue(Duration(90s)));
}

TEST(Options, DefaultsAreFilledInAndWhatHasNoneIsLeftOut) {
  const auto values = validate_options(entry("      hosts: []\n"), plugin());

  ASSERT_TRUE(values) << values.error().text();
  EXPECT_EQ(values->at("hosts"), OptionValue(std::vector<std::string>{}));
  EXPECT_EQ(values->at("port"), OptionValue(std::int64_t{22}));
  EXPECT_EQ(values->at("compress"), OptionValue(false));
  EXPECT_EQ(values->at("patience"), OptionValue(Duration(10s)));
  EXPECT_FALSE(values->contains("user"));
}

TEST(Options, AnUnknownKeyGetsTheNearestName) {
  EXPECT_EQ(
      error_of("      hosts: [a]\n      prot: 22\n"),
      "p.yaml:6:7: plugin 'ssh' has no option 'prot'; it has: hosts, user, port, compress, patience; did you "
      "mean 'port'?");
}

TEST(Options, OfAPluginWithoutAnyAreAllUnknown) {
  PluginDescription bare;
  bare.name = "process";
  const auto values = validate_options(entry("      hosts: [a]\n"), bare);

  ASSERT_FALSE(values);
  EXPECT_EQ(values.error().text(), "p.yaml:5:7: plugin 'process' has no option 'hosts'; it has none");
}

TEST(Options, AMissingOneIsAnErrorAtTheAllocator) {
  EXPECT_EQ(error_of("      user: me\n"),
            "p.yaml:2:3: allocator 'lab' lacks option 'hosts' (list of strings), which plugin 'ssh' "
            "requires: where "
            "to launch");
}

TEST(Options, WrongTypesAreToldWithTheirPosition) {
  struct Case {
    const char* line;
    const char* error;
  };
  for (const Case& each : {
           Case{"hosts: a", "p.yaml:5:14: option 'hosts': expected a list of strings, not 'a'"},
           Case{"hosts: {a: b}", "p.yaml:5:14: option 'hosts': expected a list of strings, not a mapping"},
           Case{"hosts:", "p.yaml:5:7: option 'hosts': expected a list of strings, not nothing"},
           Case{"hosts: [a, ~]",
                "p.yaml:5:18: option 'hosts': expected a list of strings, not one with nothing in it"},
           Case{"user: [me]", "p.yaml:5:13: option 'user': expected a string, not a list"},
           Case{"user:", "p.yaml:5:7: option 'user': expected a string, not nothing"},
           Case{"port: ssh", "p.yaml:5:13: option 'port': expected an integer, not 'ssh'"},
           Case{"port: 22x", "p.yaml:5:13: option 'port': expected an integer, not '22x'"},
           Case{"port: 2.5", "p.yaml:5:13: option 'port': expected an integer, not '2.5'"},
           Case{"port: '22'", "p.yaml:5:13: option 'port': expected an integer, not the quoted text '22'"},
           Case{"port: 9223372036854775808",
                "p.yaml:5:13: option 'port': expected an integer of 64 bits, not '9223372036854775808'"},
           Case{"port: [1]", "p.yaml:5:13: option 'port': expected an integer, not a list"},
           Case{"compress: yes",
                "p.yaml:5:17: option 'compress': expected a boolean (true or false), not 'yes'"},
           Case{"compress: 1", "p.yaml:5:17: option 'compress': expected a boolean (true or false), not '1'"},
           Case{"compress: 'true'",
                "p.yaml:5:17: option 'compress': expected a boolean (true or false), not the quoted text "
                "'true'"},
           Case{"patience: 10",
                "p.yaml:5:17: option 'patience': expected a duration such as 30s, 500ms or 1m30s, not '10'"},
           Case{
               "patience: soon",
               "p.yaml:5:17: option 'patience': expected a duration such as 30s, 500ms or 1m30s, not 'soon'"},
           Case{"patience: [1s]",
                "p.yaml:5:17: option 'patience': expected a duration such as 30s, not a list"},
       }) {
    EXPECT_EQ(error_of("      " + std::string(each.line) + "\n"), each.error);
  }
}

TEST(Options, HaveOneTextForEachType) {
  EXPECT_EQ(to_string(OptionValue(std::string("x"))), "x");
  EXPECT_EQ(to_string(OptionValue(std::int64_t{-3})), "-3");
  EXPECT_EQ(to_string(OptionValue(true)), "true");
  EXPECT_EQ(to_string(OptionValue(Duration(90s))), "1m30s");
  EXPECT_EQ(to_string(OptionValue(std::vector<std::string>{"a", "b"})), "[a, b]");
}

TEST(PluginDescription, NamesItsCapabilities) {
  PluginDescription description;
  description.capabilities = 1U | 8U | (1ULL << 60);

  EXPECT_EQ(description.capability_names(), (std::vector<std::string>{"signal", "output"}));
}

}  // namespace
}  // namespace hostmesh
