// An exception leaves signal(), which has done what it should.
#include "launcher.hpp"

namespace {

const hostmesh_plugin_table* right = nullptr;

void throwing_signal(hostmesh_instance* instance, std::uint64_t id, std::int32_t number) {
  right->signal(instance, id, number);
  throw std::runtime_error("not to be seen by the host");
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const hostmesh_plugin_table* hostmesh_plugin_entry(
    const hostmesh_host_table* host, uint32_t min_abi, uint32_t max_abi, hostmesh_error* error) noexcept {
  using Plugin = hostmesh::plugin::detail::Plugin<faulty::Faulty<faulty::Steps>>;
  right = Plugin::entry(FAULT_NAME, "1.0.0", host, min_abi, max_abi, error);
  if (right == nullptr) return nullptr;
  static hostmesh_plugin_table wrong = *right;
  wrong.signal = throwing_signal;
  return &wrong;
}
