// Says that it brings output, and brings none.
#include "launcher.hpp"

namespace {

using namespace faulty;

class ClaimsOutput : public Steps {
 public:
  void tell_output(const Host&, LaunchId, Stream, std::span<const std::uint8_t>) override {}
};

}  // namespace

FAULTY_PLUGIN(ClaimsOutput)
