// Knows no more than 64 words of a command line.
#include "launcher.hpp"

namespace {

using namespace faulty;

class FewWords : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    constexpr std::size_t kMost = 64;
    if (request.argv.size() > kMost) request.argv.resize(kMost);
  }
};

}  // namespace

FAULTY_PLUGIN(FewWords)
