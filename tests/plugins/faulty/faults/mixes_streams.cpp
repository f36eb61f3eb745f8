// Brings stderr as stdout.
#include "launcher.hpp"

namespace {

using namespace faulty;

class MixesStreams : public Steps {
 public:
  void tell_output(const Host& host, LaunchId id, Stream, std::span<const std::uint8_t> bytes) override {
    Steps::tell_output(host, id, Stream::kStdout, bytes);
  }
};

}  // namespace

FAULTY_PLUGIN(MixesStreams)
