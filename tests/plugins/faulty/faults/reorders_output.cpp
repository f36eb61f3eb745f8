// Two large pieces of output that follow each other change places.
#include "launcher.hpp"

namespace {

using namespace faulty;

class ReordersOutput : public Steps {
 public:
  void tell_output(const Host& host, LaunchId id, Stream stream,
                   std::span<const std::uint8_t> bytes) override {
    auto& held = held_[{id, stream}];
    if (held.empty() && bytes.size() >= kLarge) return held.assign(bytes.begin(), bytes.end());
    Steps::tell_output(host, id, stream, bytes);
    Steps::tell_output(host, id, stream, std::exchange(held, {}));
  }
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    for (const Stream stream : {Stream::kStdout, Stream::kStderr}) {
      Steps::tell_output(host, id, stream, std::exchange(held_[{id, stream}], {}));
    }
    Steps::tell_end(host, id, end);
  }

 private:
  static constexpr std::size_t kLarge = 4096;
  std::map<std::pair<LaunchId, Stream>, std::vector<std::uint8_t>> held_;
};

}  // namespace

FAULTY_PLUGIN(ReordersOutput)
