// Says that a launch is launched only when it has written something, and then the output first.
#include "launcher.hpp"

namespace {

using namespace faulty;

class OutputBeforeLaunched : public Steps {
 public:
  void tell_launched(const Host&, LaunchId id, pid_t pid) override { untold_[id] = pid; }
  void tell_output(const Host& host, LaunchId id, Stream stream,
                   std::span<const std::uint8_t> bytes) override {
    Steps::tell_output(host, id, stream, bytes);
    tell_at_last(host, id);
  }
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    tell_at_last(host, id);
    Steps::tell_end(host, id, end);
  }

 private:
  void tell_at_last(const Host& host, LaunchId id) {
    if (const auto pid = untold_.extract(id)) Steps::tell_launched(host, id, pid.mapped());
  }

  std::map<LaunchId, pid_t> untold_;
};

}  // namespace

FAULTY_PLUGIN(OutputBeforeLaunched)
