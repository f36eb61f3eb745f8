// Hands the command line to a shell, its words with spaces in between.
#include "launcher.hpp"

namespace {

using namespace faulty;

class ThroughAShell : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    std::string line = "exec";
    for (const std::string& word : request.argv) line += " " + word;
    request.argv = {"/bin/sh", "-c", line};
  }
};

}  // namespace

FAULTY_PLUGIN(ThroughAShell)
