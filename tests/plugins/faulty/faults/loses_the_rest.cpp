// Of all that a launch writes only the first half of a million bytes arrive.
#include <algorithm>

#include "launcher.hpp"

namespace {

using namespace faulty;

class LosesTheRest : public Steps {
 public:
  void tell_output(const Host& host, LaunchId id, Stream stream,
                   std::span<const std::uint8_t> bytes) override {
    const std::size_t left = kMost - told_[id];
    const auto kept = bytes.first(std::min(left, bytes.size()));
    told_[id] += kept.size();
    Steps::tell_output(host, id, stream, kept);
  }

 private:
  static constexpr std::size_t kMost = 500'000;
  std::map<LaunchId, std::size_t> told_;
};

}  // namespace

FAULTY_PLUGIN(LosesTheRest)
