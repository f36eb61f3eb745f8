// Any text either is no address, with an error that says so, or is one whose text parses back to it.
#include <cstdint>
#include <string_view>

#include "hostmesh/channel/bind_spec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hostmesh;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto addr = ChannelAddr::parse(text)) {
    HOSTMESH_ASSERT(addr->valid(), "a parsed address is valid");
    const auto again = ChannelAddr::parse(addr->text());
    HOSTMESH_ASSERT(again && *again == *addr, "the text of an address parses back to it");
  } else {
    HOSTMESH_ASSERT(!addr.error().text().empty(), "an error has a text");
  }
  if (const auto spec = BindSpec::parse(text)) {
    const auto again = BindSpec::parse(spec->text());
    HOSTMESH_ASSERT(again && *again == *spec, "the text of a bind spec parses back to it");
  }
  return 0;
}
