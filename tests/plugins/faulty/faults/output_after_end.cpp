// Something more comes from a launch that has ended.
#include "launcher.hpp"

namespace {

using namespace faulty;

class OutputAfterEnd : public Steps {
 public:
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    Steps::tell_end(host, id, end);
    constexpr std::uint8_t kMore[] = {'m', 'o', 'r', 'e'};
    host.output(id, Stream::kStdout, kMore);
  }
};

}  // namespace

FAULTY_PLUGIN(OutputAfterEnd)
