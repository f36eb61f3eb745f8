// Knows no more than 1024 bytes of a word of the command line.
#include <algorithm>

#include "launcher.hpp"

namespace {

using namespace faulty;

class ShortWords : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    for (std::string& word : request.argv) word.resize(std::min<std::size_t>(word.size(), 1024));
  }
};

}  // namespace

FAULTY_PLUGIN(ShortWords)
