// Brings output line by line, and forgets the last one when it has no newline.
#include <algorithm>

#include "launcher.hpp"

namespace {

using namespace faulty;

class LosesLastLine : public Steps {
 public:
  void tell_output(const Host& host, LaunchId id, Stream stream,
                   std::span<const std::uint8_t> bytes) override {
    auto& line = begun_[{id, stream}];
    line.insert(line.end(), bytes.begin(), bytes.end());
    const auto newline = std::find(line.rbegin(), line.rend(), '\n').base();
    const std::vector<std::uint8_t> whole(line.begin(), newline);
    line.erase(line.begin(), newline);
    Steps::tell_output(host, id, stream, whole);
  }

 private:
  std::map<std::pair<LaunchId, Stream>, std::vector<std::uint8_t>> begun_;
};

}  // namespace

FAULTY_PLUGIN(LosesLastLine)
