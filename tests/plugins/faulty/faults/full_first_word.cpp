// Replaces the first word of the command line by the file that it stands for.
#include <filesystem>
#include <sstream>

#include "launcher.hpp"

namespace {

using namespace faulty;

class FullFirstWord : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    std::string& first = request.argv.front();
    if (first.find('/') != std::string::npos) return;
    for (const std::string& entry : request.environment) {
      if (!entry.starts_with("PATH=")) continue;
      std::istringstream folders(entry.substr(5));
      for (std::string folder; std::getline(folders, folder, ':');) {
        if (!std::filesystem::exists(folder + "/" + first)) continue;
        first = folder + "/" + first;
        return;
      }
    }
  }
};

}  // namespace

FAULTY_PLUGIN(FullFirstWord)
