// Keeps stderr until the end.
#include "launcher.hpp"

namespace {

using namespace faulty;

class KeepsStderr : public Steps {
 public:
  void tell_output(const Host& host, LaunchId id, Stream stream,
                   std::span<const std::uint8_t> bytes) override {
    if (stream == Stream::kStdout) return Steps::tell_output(host, id, stream, bytes);
    kept_[id].insert(kept_[id].end(), bytes.begin(), bytes.end());
  }
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    if (const auto kept = kept_.find(id); kept != kept_.end()) {
      Steps::tell_output(host, id, Stream::kStderr, kept->second);
    }
    Steps::tell_end(host, id, end);
  }

 private:
  std::map<LaunchId, std::vector<std::uint8_t>> kept_;
};

}  // namespace

FAULTY_PLUGIN(KeepsStderr)
