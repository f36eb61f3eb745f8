#include "hostmesh/plugin/plugin.hpp"

#include <dlfcn.h>

#include <algorithm>
#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <set>
#include <utility>

#include "hostmesh/base/foreign_code.hpp"
#include "hostmesh/base/text.hpp"
#include "hostmesh/plugin/abi.h"
#include "hostmesh/plugin/detail/host_context.hpp"
#include "hostmesh/plugin/plugin_file.hpp"
#include "hostmesh/plugin/plugin_launcher.hpp"

namespace hostmesh {

namespace {

constexpr std::uint32_t kMinAbi = 1;
constexpr std::uint32_t kMaxAbi = HOSTMESH_ABI_VERSION;

// The sizes of version 1: what is shorter lacks what we read.
constexpr std::size_t kTableSize =
    offsetof(hostmesh_plugin_table, destroy) + sizeof(hostmesh_plugin_table::destroy);
constexpr std::size_t kDescriptionSize = sizeof(hostmesh_description);
constexpr std::size_t kOptionSize = sizeof(hostmesh_option);

std::string host_abi() {
  const std::string range = kMinAbi == kMaxAbi
                                ? "version " + std::to_string(kMinAbi)
                                : "versions " + std::to_string(kMinAbi) + " to " + std::to_string(kMaxAbi);
  return "hostmesh " HOSTMESH_VERSION " speaks ABI " + range;
}

Error refused(const std::filesystem::path& file, const std::string& reason, std::string hint = {}) {
  return Error(ErrorInfo{.cause = Cause::kPlugin,
                         .message = "plugin file " + file.string() + " refused: " + printable(reason),
                         .phase = "load",
                         .hint = std::move(hint)});
}

std::string words_of(const hostmesh_error& error) {
  const std::size_t size = std::min<std::size_t>(error.text_size, sizeof(error.text));
  return size == 0 ? "it gave no reason" : std::string(error.text, size);
}

// Runs a call into the plugin. What it throws is no exception of ours, whatever its type; empty when it
// returned.
template <class Call>
std::string thrown_by(Call call) {
  try {
    call();
    return {};
  } catch (const std::exception& failure) {
    return failure.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

// What the dynamic linker lacked, which has only words for it; 0 when it was nothing of that kind.
int exhaustion_in(std::string_view words) {
  for (const int number : {EMFILE, ENFILE, ENOMEM}) {
    if (words.find(std::strerror(number)) != std::string_view::npos) return number;
  }
  return words.ends_with("failed to map segment from shared object") ? ENOMEM : 0;
}

Result<OptionDescription> read_option(const hostmesh_option& row) {
  const auto nonsense = [](const std::string& why) { return Error(Cause::kPlugin, why); };
  OptionDescription option;
  option.key = printable(detail::to_text(row.key));
  if (option.key.empty()) return nonsense("it declares an option without a key");
  if (row.type < HOSTMESH_OPTION_STRING || row.type > HOSTMESH_OPTION_STRING_LIST) {
    return nonsense("its option '" + option.key + "' has the unknown type " + std::to_string(row.type));
  }
  option.type = static_cast<OptionType>(row.type);
  option.required = row.required != 0;
  option.doc = printable_lines(detail::to_text(row.doc));
  if (row.has_default != 0) {
    if (option.required) return nonsense("its option '" + option.key + "' is required and has a default");
    auto value = parse_option(option.type, detail::to_text(row.default_value));
    if (!value) {
      return nonsense("the default of its option '" + option.key + "': " + value.error().info().message);
    }
    option.default_value = *std::move(value);
  }
  return option;
}

Result<PluginDescription> read_description(const hostmesh_description& from) {
  const auto nonsense = [](const std::string& why) { return Error(Cause::kPlugin, why); };
  if (from.size < kDescriptionSize || (from.option_count != 0 && from.option_stride < kOptionSize)) {
    return nonsense("its description is shorter than ABI version 1 has it");
  }
  PluginDescription description;
  description.name = printable(detail::to_text(from.name));
  description.version = printable(detail::to_text(from.version));
  description.summary = printable(detail::to_text(from.summary));
  description.capabilities = from.capabilities;
  if (description.name.empty()) return nonsense("it has no name");
  std::set<std::string> keys;
  const auto* row = reinterpret_cast<const std::byte*>(from.options);
  for (std::uint64_t i = 0; i < from.option_count; ++i, row += from.option_stride) {
    auto option = read_option(*reinterpret_cast<const hostmesh_option*>(row));
    if (!option) return option.error();
    if (!keys.insert(option->key).second)
      return nonsense("it declares its option '" + option->key + "' twice");
    description.options.push_back(*std::move(option));
  }
  return description;
}

// Options in the form in which they cross; the strings stay with `values`.
struct ConfigView {
  explicit ConfigView(const OptionValues& values) {
    texts.reserve(values.size());
    items.reserve(values.size());
    for (const auto& [key, value] : values) {
      hostmesh_config_entry entry{};
      entry.key = detail::to_view(key);
      entry.type =
          static_cast<std::uint32_t>(value.index() + 1);  // the variant is in the order of OptionType
      texts.push_back(to_string(value));
      items.emplace_back();
      if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
        for (const std::string& item : *list) items.back().push_back(detail::to_view(item));
        entry.items = {items.back().data(), items.back().size()};
      } else {
        entry.text = detail::to_view(texts.back());
      }
      if (const auto* number = std::get_if<std::int64_t>(&value)) entry.number = *number;
      if (const auto* flag = std::get_if<bool>(&value)) entry.number = *flag ? 1 : 0;
      if (const auto* duration = std::get_if<Duration>(&value)) entry.number = duration->count();
      entries.push_back(entry);
    }
  }
  hostmesh_config get() const {
    return {sizeof(hostmesh_config), sizeof(hostmesh_config_entry), entries.data(), entries.size()};
  }
  std::vector<std::string> texts;
  std::vector<std::vector<hostmesh_text>> items;
  std::vector<hostmesh_config_entry> entries;
};

static_assert(
    std::is_same_v<std::variant_alternative_t<static_cast<int>(OptionType::kStringList) - 1, OptionValue>,
                   std::vector<std::string>>);
static_assert(
    std::is_same_v<std::variant_alternative_t<static_cast<int>(OptionType::kDuration) - 1, OptionValue>,
                   Duration>);

}  // namespace

struct Plugin::Impl {
  boost::dll::shared_library library;
  const hostmesh_plugin_table* table = nullptr;
  PluginDescription description;
  std::mutex mutex;
  std::vector<std::shared_ptr<detail::HostContext>> contexts;  // of all instances there ever were
};

Plugin::Plugin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Plugin::~Plugin() = default;

const PluginDescription& Plugin::description() const {
  return impl_->description;
}

Result<std::shared_ptr<Plugin>> Plugin::load(const std::filesystem::path& file, const ProbeOptions& probe) {
  const auto checked = check_plugin_file(file);
  if (!checked) return checked.error();
  if (auto survived = probe_plugin(*checked, probe); !survived) return survived.error();

  auto impl = std::make_unique<Impl>();
  boost::dll::fs::error_code failure;
  // Boost has no name for RTLD_NODELETE, but hands the bits on.
  constexpr auto kMode = static_cast<boost::dll::load_mode::type>(RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  ::dlerror();
  const std::string its_file = "plugin file " + checked->string();
  {
    const ForeignCall under_way(its_file, "being loaded");
    impl->library.load(*checked, kMode, failure);
  }
  if (failure) {
    // Boost's own text has an errno that means nothing here.
    const char* const why = ::dlerror();
    if (const int number = exhaustion_in(why == nullptr ? "" : why); number != 0) {
      return os_error(Cause::kResourceLimit, "plugin file " + checked->string() + " could not be loaded",
                      number)
          .with_phase("load");
    }
    return refused(file, why != nullptr ? std::string("the dynamic linker says: ") + why : failure.message(),
                   "ldd " + checked->string());
  }
  if (!impl->library.has(HOSTMESH_PLUGIN_ENTRY_NAME)) {
    return refused(file,
                   "it is a shared library but no plugin: it does not export " HOSTMESH_PLUGIN_ENTRY_NAME,
                   "HOSTMESH_PLUGIN(...) in its source, and hostmesh_add_plugin() to build it");
  }
  using EntryFunction = std::remove_pointer_t<hostmesh_plugin_entry_function>;
  EntryFunction& entry = impl->library.get<EntryFunction>(HOSTMESH_PLUGIN_ENTRY_NAME);

  hostmesh_error error = detail::empty_error();
  note_foreign_library(its_file, reinterpret_cast<const void*>(&entry));
  std::string thrown = thrown_by([&] {
    const ForeignCall under_way(its_file, "in its entry point");
    impl->table = entry(&detail::host_table(), kMinAbi, kMaxAbi, &error);
  });
  if (!thrown.empty()) return refused(file, "its entry point threw an exception: " + thrown);
  if (impl->table == nullptr) return refused(file, "it declined: " + words_of(error) + "; " + host_abi());
  const hostmesh_plugin_table& table = *impl->table;
  if (table.abi_version < kMinAbi || table.abi_version > kMaxAbi) {
    return refused(file, "it speaks ABI version " + std::to_string(table.abi_version) + "; " + host_abi(),
                   "build it for this hostmesh");
  }
  if (table.size < kTableSize || table.describe == nullptr || table.create == nullptr ||
      table.launch == nullptr || table.destroy == nullptr) {
    return refused(
        file, "its table of functions is incomplete for ABI version " + std::to_string(table.abi_version));
  }

  const hostmesh_description* told = nullptr;
  error = detail::empty_error();
  thrown = thrown_by([&] {
    const ForeignCall under_way(its_file, "describing itself");
    told = table.describe(&error);
  });
  if (!thrown.empty()) return refused(file, "describing itself it threw an exception: " + thrown);
  if (told == nullptr) return refused(file, "it could not describe itself: " + words_of(error));
  auto description = read_description(*told);
  if (!description) return refused(file, description.error().info().message);
  impl->description = *std::move(description);
  impl->description.abi_version = table.abi_version;
  impl->description.file = *checked;
  note_foreign_library("plugin '" + impl->description.name + "'", reinterpret_cast<const void*>(&entry));
  return std::shared_ptr<Plugin>(new Plugin(std::move(impl)));
}

Result<std::unique_ptr<ChildLauncher>> Plugin::create(Reactor& reactor, LaunchThread& launch_thread,
                                                      const OptionValues& options,
                                                      ChildLauncher::Events events, PluginServices services) {
  using LocalProcs = detail::HostContext::LocalProcs;
  auto launcher = std::make_unique<PluginLauncher>(shared_from_this(), *impl_->table, reactor, launch_thread,
                                                   std::move(events), std::move(services.commands),
                                                   std::move(services.local_procs));
  auto context = std::make_shared<detail::HostContext>(
      impl_->description.name,
      impl_->description.can(Capability::kLocalProcs) ? LocalProcs::kAllowed : LocalProcs::kNot, reactor,
      launcher->deliver(), std::move(services.observer));
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->contexts.push_back(context);
  }
  const ConfigView config(options);
  const hostmesh_config view = config.get();
  context->may_use_tcp(std::move(services.use_tcp));
  auto opened = launcher->open(context, view);
  context->may_use_tcp(nullptr);
  if (!opened) return opened.error();
  return std::unique_ptr<ChildLauncher>(std::move(launcher));
}

}  // namespace hostmesh
