#include "hostmesh/plugin/plugins_yaml.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace hostmesh {
namespace {

constexpr const char* kGood = R"(# a comment
plugin_path: [build/plugins, /opt/plugins, ../other]
default: process
allocators:
  process: {plugin: process}
  lab:
    plugin: ssh
    options:
      hosts: [node1, "me@node2:2222"]
      port: 22
      user: 'me'
)";

TEST(PluginsYaml, ReadsEveryPart) {
  const auto file = parse_plugins_yaml(kGood, "/etc/mesh/plugins.yaml");

  ASSERT_TRUE(file) << file.error().text();
  EXPECT_EQ(file->plugin_path,
            (std::vector<std::filesystem::path>{"/etc/mesh/build/plugins", "/opt/plugins", "/etc/other"}));
  EXPECT_EQ(file->default_allocator, "process");
  ASSERT_EQ(file->allocators.size(), 2U);
  const AllocatorEntry& lab = file->allocators[1];
  EXPECT_EQ(lab.name, "lab");
  EXPECT_EQ(lab.plugin, "ssh");
  EXPECT_EQ(lab.position.line, 6U);
  EXPECT_EQ(lab.position.column, 3U);
  EXPECT_EQ(lab.plugin_position.line, 7U);
  EXPECT_EQ(lab.plugin_position.column, 13U);
  ASSERT_EQ(lab.options.size(), 3U);
  ASSERT_EQ(lab.options[0].items.size(), 2U);
  EXPECT_EQ(lab.options[0].items[1].text, "me@node2:2222");
  EXPECT_FALSE(lab.options[0].items[1].plain);
  EXPECT_EQ(lab.options[1].scalar.text, "22");
  EXPECT_TRUE(lab.options[1].scalar.plain);
  EXPECT_FALSE(lab.options[2].scalar.plain);
}

TEST(PluginsYaml, SearchesTheInstalledFolderLast) {
  const auto file = parse_plugins_yaml(kGood, "/etc/mesh/plugins.yaml");

  ASSERT_TRUE(file);
  ASSERT_EQ(file->search_path().size(), 4U);
  EXPECT_EQ(file->search_path().back(), installed_plugin_folder());
  EXPECT_TRUE(installed_plugin_folder().string().ends_with("/lib/hostmesh/plugins"));
}

TEST(PluginsYaml, TheOnlyAllocatorIsTheDefault) {
  const auto one = parse_plugins_yaml("allocators: {a: {plugin: p}}", "f");
  const auto two = parse_plugins_yaml("allocators: {a: {plugin: p}, b: {plugin: p}}", "f");

  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->default_allocator, "a");
  EXPECT_EQ((*one->find())->name, "a");
  ASSERT_FALSE(two->find());
  EXPECT_EQ(two->find().error().text(), "f names no default allocator; there is: a, b");
  EXPECT_EQ((*two->find("b"))->name, "b");
}

TEST(PluginsYaml, AnUnknownAllocatorGetsTheNearestName) {
  const auto file = parse_plugins_yaml(kGood, "f");

  ASSERT_TRUE(file);
  const auto found = file->find("proces");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().text(),
            "f has no allocator 'proces'; there is: process, lab; did you mean 'process'?");
}

struct Wrong {
  const char* name;
  const char* text;
  const char* error;
};

class PluginsYamlErrors : public ::testing::TestWithParam<Wrong> {};

TEST_P(PluginsYamlErrors, SayWhereAndWhatIsAllowed) {
  const auto file = parse_plugins_yaml(GetParam().text, "p.yaml");

  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().cause(), Cause::kConfiguration);
  EXPECT_EQ(file.error().text(), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    All, PluginsYamlErrors,
    ::testing::Values(
        Wrong{"Empty", "",
              "p.yaml:1:1: expected a mapping with the keys plugin_path, default, allocators, not nothing"},
        Wrong{"OnlyAComment", "# nothing\n",
              "p.yaml:1:1: expected a mapping with the keys plugin_path, default, allocators, not nothing"},
        Wrong{"AList", "\n- a\n",
              "p.yaml:2:1: expected a mapping with the keys plugin_path, default, allocators, not a list"},
        Wrong{"AScalar", "hello",
              "p.yaml:1:1: expected a mapping with the keys plugin_path, default, allocators, not 'hello'"},
        Wrong{"UnknownKey", "allocators: {a: {plugin: p}}\ndefaults: a\n",
              "p.yaml:2:1: unknown key 'defaults'; allowed: plugin_path, default, allocators; did you mean "
              "'default'?"},
        Wrong{"UnknownKeyFarFromAll", "zebra: 1\n",
              "p.yaml:1:1: unknown key 'zebra'; allowed: plugin_path, default, allocators"},
        Wrong{"UnknownKeyInAllocator", "allocators:\n  a: {plugn: p}\n",
              "p.yaml:2:7: unknown key 'plugn' in allocator 'a'; allowed: plugin, options; did you mean "
              "'plugin'?"},
        Wrong{"KeyIsAList", "allocators: {a: {plugin: p}}\n? [x, y]\n: 1\n",
              "p.yaml:2:3: a key must be a name, not a list"},
        Wrong{"KeyIsNothing", "allocators:\n  ~: {plugin: p}\n",
              "p.yaml:2:3: a key must be a name, not nothing"},
        Wrong{"NoAllocators", "\ndefault: a\n", "p.yaml:2:1: key 'allocators' is missing"},
        Wrong{"AllocatorsNothing", "allocators:\n",
              "p.yaml:1:1: allocators must be a mapping of names, not nothing"},
        Wrong{"AllocatorsAList", "allocators: [a]\n",
              "p.yaml:1:13: allocators must be a mapping of names, not a list"},
        Wrong{"AllocatorsEmpty", "allocators: {}\n",
              "p.yaml:1:13: allocators must be a mapping of names, not an empty one"},
        Wrong{"AllocatorIsText", "allocators:\n  a: process\n",
              "p.yaml:2:6: allocator 'a' must be a mapping such as {plugin: process}, not 'process'"},
        Wrong{"AllocatorIsNothing", "allocators:\n  b: {plugin: p}\n  a:\n",
              "p.yaml:3:3: key 'plugin' is missing in allocator 'a'"},
        Wrong{"PluginMissing", "allocators:\n  a: {options: {x: 1}}\n",
              "p.yaml:2:3: key 'plugin' is missing in allocator 'a'"},
        Wrong{"PluginIsAList", "allocators:\n  a: {plugin: [p]}\n",
              "p.yaml:2:15: plugin in allocator 'a' must be a name, not a list"},
        Wrong{"PluginIsNothing", "allocators:\n  a:\n    plugin:\n",
              "p.yaml:3:5: plugin in allocator 'a' must be a name, not nothing"},
        Wrong{"PluginIsEmpty", "allocators:\n  a: {plugin: ''}\n",
              "p.yaml:2:15: plugin in allocator 'a' must be a name, not ''"},
        Wrong{"OptionsAreAList", "allocators:\n  a:\n    plugin: p\n    options: [x]\n",
              "p.yaml:4:14: options in allocator 'a' must be a mapping, not a list"},
        Wrong{
            "OptionHoldsMappings",
            "allocators:\n  a:\n    plugin: p\n    options:\n      hosts:\n        - n1\n        - {n: 2}\n",
            "p.yaml:7:11: an item of option 'hosts' must be text, not a mapping"},
        Wrong{"AllocatorTwice", "allocators:\n  a: {plugin: p}\n  b: {plugin: p}\n  a: {plugin: q}\n",
              "p.yaml:4:3: 'a' is there twice, first at line 2"},
        Wrong{"TopKeyTwice", "default: a\nallocators: {a: {plugin: p}}\ndefault: a\n",
              "p.yaml:3:1: 'default' is there twice, first at line 1"},
        Wrong{"PluginTwice", "allocators:\n  a: {plugin: p, plugin: q}\n",
              "p.yaml:2:18: 'plugin' is there twice, first at line 2"},
        Wrong{"OptionTwice", "allocators:\n  a:\n    plugin: p\n    options:\n      x: 1\n      'x': 2\n",
              "p.yaml:6:7: 'x' is there twice, first at line 5"},
        Wrong{"DefaultUnknown", "default: proces\nallocators: {process: {plugin: p}, ssh: {plugin: q}}\n",
              "p.yaml:1:10: default names no allocator: 'proces'; there is: process, ssh; did you mean "
              "'process'?"},
        Wrong{"DefaultIsAList", "default: [a]\nallocators: {a: {plugin: p}}\n",
              "p.yaml:1:10: default must be a name, not a list"},
        Wrong{"DefaultIsNothing", "allocators: {a: {plugin: p}}\ndefault:\n",
              "p.yaml:2:1: default must be a name, not nothing"},
        Wrong{"PathIsText", "plugin_path: build\nallocators: {a: {plugin: p}}\n",
              "p.yaml:1:14: plugin_path must be a list of folders, not 'build'"},
        Wrong{"PathHoldsAList", "plugin_path: [a, [b]]\nallocators: {a: {plugin: p}}\n",
              "p.yaml:1:18: an item of plugin_path must be a folder, not a list"},
        Wrong{"PathHoldsNothing", "plugin_path: [a, '']\nallocators: {a: {plugin: p}}\n",
              "p.yaml:1:18: an item of plugin_path must be a folder, not ''"},
        Wrong{"TwoDocuments", "allocators: {a: {plugin: p}}\n---\nallocators: {b: {plugin: p}}\n",
              "p.yaml:3:1: a second document; the file must have one"}),
    [](const auto& each) { return each.param.name; });

TEST(PluginsYaml, MalformedYamlHasAPositionToo) {
  struct Case {
    const char* text;
    const char* beginning;
  };
  for (const Case& each : {Case{"allocators: {a: {plugin: p}\n", "p.yaml:2:1: this is no YAML: "},
                           Case{"allocators:\n  a: {plugin: p]\n", "p.yaml:2:16: this is no YAML: "},
                           Case{"default: \"a\nallocators", "p.yaml:2:11: this is no YAML: "},
                           Case{"a: b: c\n", "p.yaml:1:5: this is no YAML: "},
                           Case{"default: *nobody\n", "p.yaml:1:10: this is no YAML: "}}) {
    const auto file = parse_plugins_yaml(each.text, "p.yaml");
    ASSERT_FALSE(file) << each.text;
    EXPECT_TRUE(file.error().text().starts_with(each.beginning)) << each.text << "\n" << file.error().text();
  }
}

TEST(PluginsYaml, DeepNestingIsAnErrorAndNoCrash) {
  const auto file = parse_plugins_yaml("allocators: " + std::string(100000, '['), "p.yaml");

  EXPECT_FALSE(file);
}

TEST(PluginsYaml, AFileThatCannotBeReadIsNamed) {
  const auto missing = load_plugins_yaml("/nonexistent/plugins.yaml");
  const auto folder = load_plugins_yaml("/");

  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().text(),
            "cannot read /nonexistent/plugins.yaml; ENOENT (No such file or directory)");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().text(), "cannot read /; EISDIR (Is a directory)");
}

TEST(PluginsYaml, TheOneOfThisProjectIsValid) {
  const auto mine = load_plugins_yaml(HOSTMESH_SOURCE_FOLDER "/plugins.yaml");
  const auto installed = load_plugins_yaml(HOSTMESH_SOURCE_FOLDER "/allocators/plugins.yaml");

  ASSERT_TRUE(mine) << mine.error().text();
  EXPECT_EQ(mine->default_allocator, "process");
  EXPECT_EQ(mine->plugin_path[0], HOSTMESH_SOURCE_FOLDER "/build/release/lib/hostmesh/plugins");
  ASSERT_TRUE(installed) << installed.error().text();
}

}  // namespace
}  // namespace hostmesh
