#include "hostmesh/plugin/plugin.hpp"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "hostmesh/plugin/plugins_yaml.hpp"
#include "plugin/launch_bench.hpp"

namespace hostmesh {
namespace {

namespace fs = std::filesystem;

const fs::path kProcess = STOCK_PLUGINS "/libprocess.so";

fs::path sample(const std::string& name) {
  return fs::path(SAMPLE_PLUGINS) / ("lib" + name + ".so");
}

std::string error_of(const fs::path& file) {
  const auto plugin = Plugin::load(file);
  if (plugin) return "no error";
  EXPECT_EQ(plugin.error().cause(), Cause::kPlugin);
  return plugin.error().text();
}

#if defined(__x86_64__)
constexpr char kOwnMachine = EM_X86_64;
#else
constexpr char kOwnMachine = static_cast<char>(EM_AARCH64);
#endif

// The bytes of a file with one text in them replaced by another of its length: whole, and not to be loaded.
std::string changed(const fs::path& file, const std::string& from, const std::string& to) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  const auto at = bytes.find(from);
  EXPECT_NE(at, std::string::npos) << from << " is not in " << file;
  return at == std::string::npos ? bytes : bytes.replace(at, from.size(), to);
}

// A folder of the test's own, gone with it.
class PluginFile : public ::testing::Test {
 protected:
  PluginFile() {
    std::string name = fs::temp_directory_path() / "hostmesh-plugin-XXXXXX";
    folder = ::mkdtemp(name.data());
  }
  ~PluginFile() override { fs::remove_all(folder); }

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    ::chmod((folder / name).c_str(), 0644);
    return folder / name;
  }
  fs::path copy(const fs::path& from, std::uintmax_t size = 0) const {
    fs::copy_file(from, folder / from.filename());
    if (size != 0) fs::resize_file(folder / from.filename(), size);
    ::chmod((folder / from.filename()).c_str(), 0644);
    return folder / from.filename();
  }
  void expect_refused(const fs::path& file, const std::string& reason) const {
    EXPECT_EQ(error_of(file), "phase load: plugin file " + file.string() + " refused: " + reason);
  }

  fs::path folder;
};

TEST(Plugin, SaysWhatItIs) {
  const auto plugin = Plugin::load(kProcess);

  ASSERT_TRUE(plugin) << plugin.error().text();
  const PluginDescription& description = (*plugin)->description();
  EXPECT_EQ(description.name, "process");
  EXPECT_EQ(description.version, "1.0.0");
  EXPECT_EQ(description.abi_version, 2U);
  EXPECT_EQ(description.file, fs::canonical(kProcess));
  ASSERT_EQ(description.options.size(), 1U);
  EXPECT_EQ(description.options[0].key, "start");
  EXPECT_EQ(description.options[0].default_value, OptionValue("exec"));
  EXPECT_EQ(description.capability_names(),
            (std::vector<std::string>{"signal", "same_machine", "output", "exit_status", "lifeline"}));
}

TEST(Plugin, DeclaresItsOptions) {
  const auto plugin = Plugin::load(sample("scripted"));

  ASSERT_TRUE(plugin) << plugin.error().text();
  const auto& options = (*plugin)->description().options;
  ASSERT_EQ(options.size(), 6U);
  EXPECT_EQ(options[0].key, "name");
  EXPECT_TRUE(options[0].required);
  EXPECT_EQ(options[0].doc, "what to be called");
  EXPECT_EQ(options[1].default_value, OptionValue(std::int64_t{3}));
  EXPECT_EQ(options[3].default_value, OptionValue(Duration(std::chrono::seconds(90))));
  EXPECT_EQ(options[4].type, OptionType::kStringList);
  EXPECT_EQ(options[4].default_value, std::nullopt);
}

TEST_F(PluginFile, WorksFromAnywhere) {
  EXPECT_TRUE(Plugin::load(copy(kProcess)));
}

TEST_F(PluginFile, ThatIsNotThereIsRefused) {
  expect_refused(folder / "libnobody.so", "it cannot be found; ENOENT (No such file or directory)");
}

TEST_F(PluginFile, ThatIsAFolderIsRefused) {
  fs::create_directory(folder / "libx.so");
  expect_refused(folder / "libx.so", "it is no regular file");
}

TEST_F(PluginFile, ThatIsAFifoIsRefusedWithoutWaiting) {
  ASSERT_EQ(::mkfifo((folder / "libx.so").c_str(), 0600), 0);
  expect_refused(folder / "libx.so", "it is no regular file");
}

TEST_F(PluginFile, ThatIsTextIsRefused) {
  expect_refused(write("libx.so", "#!/bin/sh\necho hello\n"), "it is no shared library (no ELF header)");
}

TEST_F(PluginFile, ThatIsEmptyIsRefused) {
  expect_refused(write("libx.so", ""), "it is empty");
}

TEST_F(PluginFile, ThatIsAProgramOfAnotherKindIsRefused) {
  std::string object(
      "\x7f"
      "ELF\x02\x01\x01",
      7);
  object.resize(64);
  object[16] = 1;  // a relocatable object
  object[18] = kOwnMachine;
  expect_refused(write("libx.so", object), "it is an ELF file but no shared library");
}

TEST_F(PluginFile, OfAnotherMachineIsRefused) {
  std::string object(
      "\x7f"
      "ELF\x01\x01\x01",
      7);
  object.resize(64);
  EXPECT_NE(
      error_of(write("libx.so", object)).find("it is a library of another machine (ELF class 1, machine 0;"),
      std::string::npos);
}

TEST_F(PluginFile, ThatIsTruncatedIsRefusedAtAnyLength) {
  const std::uintmax_t whole = fs::file_size(kProcess);
  for (const std::uintmax_t size : {std::uintmax_t{5}, std::uintmax_t{63}, std::uintmax_t{64},
                                    std::uintmax_t{200}, whole / 4, whole / 2, whole - 1}) {
    const fs::path file = copy(kProcess, size);
    EXPECT_NE(error_of(file).find("it is truncated"), std::string::npos) << size << ": " << error_of(file);
    fs::remove(file);
  }
}

TEST_F(PluginFile, ThatOthersCanWriteIsRefused) {
  const fs::path file = copy(kProcess);
  ::chmod(file.c_str(), 0646);
  expect_refused(file, "it can be written to by others (mode 0646); try: chmod go-w " + file.string());
}

TEST_F(PluginFile, InAFolderThatOthersCanWriteIsRefused) {
  const fs::path file = copy(kProcess);
  ::chmod(folder.c_str(), 01777);
  expect_refused(file, "its folder " + folder.string() +
                           " can be written to by others (mode 1777); try: chmod go-w " + folder.string());
}

TEST_F(PluginFile, BehindALinkInAFolderThatOthersCanWriteIsRefused) {
  const fs::path open = folder / "open";
  fs::create_directory(open);
  ::chmod(open.c_str(), 0777);
  fs::create_symlink(fs::absolute(kProcess), open / "libprocess.so");
  expect_refused(open / "libprocess.so", "its folder " + open.string() +
                                             " can be written to by others (mode 0777); try: chmod go-w " +
                                             open.string());
}

TEST_F(PluginFile, ThatAStrangerOwnsIsRefused) {
  const fs::path file = copy(kProcess);
  if (::chown(file.c_str(), 54321, 54321) != 0) GTEST_SKIP() << "only root can give files away";
  EXPECT_NE(error_of(file).find("it belongs to user 54321, who is neither root, this user"),
            std::string::npos)
      << error_of(file);
}

TEST_F(PluginFile, WithAMissingLibraryIsRefusedInTheLinkersWords) {
  const fs::path file = write("libx.so", changed(kProcess, "libstdc++.so.6", "xyzstdc++.so.6"));
  EXPECT_NE(error_of(file).find("the dynamic linker says: xyzstdc++.so.6: cannot open shared object file"),
            std::string::npos)
      << error_of(file);
}

TEST_F(PluginFile, WithAMissingSymbolIsRefusedNamingIt) {
  const std::string nul(1, '\0');
  const fs::path file =
      write("libx.so", changed(sample("plain_c"), nul + "malloc" + nul, nul + "mallox" + nul));
  EXPECT_NE(error_of(file).find("the dynamic linker says: " + fs::canonical(file).string() +
                                ": undefined symbol: mallox"),
            std::string::npos)
      << error_of(file);
}

TEST_F(PluginFile, ThatIsAProgramIsRefusedInTheLinkersWords) {
  const fs::path file = copy("/bin/true");
  EXPECT_NE(error_of(file).find("the dynamic linker says: " + fs::canonical(file).string() +
                                ": cannot dynamically load position-independent executable"),
            std::string::npos)
      << error_of(file);
}

TEST(Plugin, WithoutAnEntryPointIsRefused) {
  EXPECT_NE(error_of(sample("no_entry"))
                .find("it is a shared library but no plugin: it does not export hostmesh_plugin_entry"),
            std::string::npos);
}

TEST(Plugin, OfAnotherAbiIsRefusedNamingBothSides) {
  EXPECT_NE(error_of(sample("future_abi"))
                .find("it speaks ABI version 99; hostmesh 0.1.0 speaks ABI versions 1 to 2"),
            std::string::npos)
      << error_of(sample("future_abi"));
}

TEST(Plugin, ThatDeclinesIsRefusedInItsOwnWords) {
  EXPECT_NE(error_of(sample("declines"))
                .find("it declined: the moon is not full; hostmesh 0.1.0 speaks ABI versions 1 to 2"),
            std::string::npos)
      << error_of(sample("declines"));
}

TEST(Plugin, ThatThrowsOutOfItsEntryIsRefused) {
  EXPECT_NE(error_of(sample("throws_in_entry")).find("its entry point threw an exception: out of the entry"),
            std::string::npos);
}

TEST(Plugin, WithADefaultOfTheWrongTypeIsRefused) {
  EXPECT_NE(error_of(sample("bad_default"))
                .find("the default of its option 'count': expected an integer, not 'many'"),
            std::string::npos);
}

TEST(Plugin, ThatThrowsWhenCreatedFailsWithItsOwnWords) {
  const auto plugin = Plugin::load(sample("throws_in_create"));
  ASSERT_TRUE(plugin) << plugin.error().text();
  LaunchBench bench;

  EXPECT_EQ(bench.open(**plugin, {{"what", std::string("error")}}),
            "plugin 'throws_in_create': the key does not fit");
  EXPECT_EQ(bench.open(**plugin, {{"what", std::string("int")}}),
            "plugin 'throws_in_create': an exception that is no std::exception");
  EXPECT_EQ(bench.open(**plugin, {{"what", std::string("system")}}),
            "plugin 'throws_in_create': opening the door: Permission denied; EACCES (Permission denied)");
  EXPECT_EQ(bench.open(**plugin, {{"what", std::string("undeclared")}}),
            "plugin 'throws_in_create': option 'nothing' has no value");
}

TEST(PluginRegistry, LoadsAPluginOnce) {
  PluginRegistry registry({"/nonexistent", SAMPLE_PLUGINS, STOCK_PLUGINS});

  const auto first = registry.find("process");
  const auto second = registry.find("process");

  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(*first, *second);
}

TEST_F(PluginFile, OfTheFirstFolderWins) {
  copy(kProcess);
  PluginRegistry registry({folder, STOCK_PLUGINS});

  const auto plugin = registry.find("process");

  ASSERT_TRUE(plugin) << plugin.error().text();
  EXPECT_EQ((*plugin)->description().file, fs::canonical(folder) / "libprocess.so");
}

TEST_F(PluginFile, ThatIsRefusedDoesNotLetTheNextFolderHaveIt) {
  write("libprocess.so", "");
  PluginRegistry registry({folder, STOCK_PLUGINS});

  const auto plugin = registry.find("process");

  ASSERT_FALSE(plugin);
  EXPECT_NE(plugin.error().text().find("it is empty"), std::string::npos);
}

TEST_F(PluginFile, IsTriedOnceByARegistry) {
  // One that hangs when it is loaded must not do so again for each allocator that names it.
  PluginRegistry registry({folder});
  write("libprocess.so", "");
  const auto first = registry.find("process");
  ASSERT_FALSE(first);
  fs::remove(folder / "libprocess.so");
  copy(kProcess);

  const auto second = registry.find("process");

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().text(), first.error().text());
  EXPECT_TRUE(PluginRegistry({folder}).find("process"));
}

TEST(PluginRegistry, UnderAnotherNameThanItsOwnIsRefused) {
  PluginRegistry registry({SAMPLE_PLUGINS});

  const auto plugin = registry.find("misnamed");

  ASSERT_FALSE(plugin);
  EXPECT_NE(plugin.error().text().find(
                "it calls itself 'somebody_else', so its file should be libsomebody_else.so"),
            std::string::npos);
}

TEST_F(PluginFile, ThatNobodyHasIsToldWithWhatThereIs) {
  copy(kProcess);
  write("libssh.so", "");
  write("readme.txt", "");
  write("lib.so", "");
  PluginRegistry registry({"/nonexistent", folder});

  const auto plugin = registry.find("proces");

  ASSERT_FALSE(plugin);
  EXPECT_EQ(plugin.error().text(),
            "no plugin is named 'proces': no libproces.so in /nonexistent (no such folder), " +
                folder.string() + "; there is process, ssh; did you mean 'process'?");
  EXPECT_EQ(registry.names(), (std::vector<std::string>{"process", "ssh"}));
}

TEST_F(PluginFile, IsNotSoughtOutsideTheSearchPath) {
  fs::create_directory(folder / "libx");
  copy(kProcess);
  PluginRegistry registry({folder / "libx"});

  EXPECT_FALSE(registry.find("x/../../libprocess"));
  EXPECT_FALSE(registry.find(""));
}

TEST(PluginRegistry, AnUnknownPluginOfAnAllocatorIsAnErrorAtItsPosition) {
  PluginRegistry registry({STOCK_PLUGINS});
  const auto file = parse_plugins_yaml("allocators:\n  lab: {plugin: prcess}\n", "p.yaml");
  ASSERT_TRUE(file);

  const auto plugin = find_plugin(registry, file->allocators[0]);

  ASSERT_FALSE(plugin);
  EXPECT_TRUE(plugin.error().text().starts_with("p.yaml:2:17: allocator 'lab': no plugin is named 'prcess'"))
      << plugin.error().text();
  EXPECT_TRUE(plugin.error().text().ends_with("did you mean 'process'?"));
}

}  // namespace
}  // namespace hostmesh
