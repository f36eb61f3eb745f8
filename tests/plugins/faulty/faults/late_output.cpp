// Reports little output 200 ms late.
#include "launcher.hpp"

namespace {

using namespace faulty;

class LateOutput : public Steps {
 public:
  void tell_output(const Host& host, LaunchId id, Stream stream,
                   std::span<const std::uint8_t> bytes) override {
    constexpr std::size_t kLittle = 64;
    if (bytes.size() < kLittle) std::this_thread::sleep_for(std::chrono::milliseconds(200));
    Steps::tell_output(host, id, stream, bytes);
  }
};

}  // namespace

FAULTY_PLUGIN(LateOutput)
