// Leaves the payload in a file while its instance lives.
#include <fstream>

#include "launcher.hpp"

namespace {

using namespace faulty;

class SecretInFile : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    if (request.stdin_payload.empty()) return;
    files_.push_back("/tmp/hostmesh-faulty-" + std::to_string(::getpid()) + "-" + std::to_string(request.id));
    std::ofstream(files_.back())
        .write(reinterpret_cast<const char*>(request.stdin_payload.data()),
               static_cast<std::streamsize>(request.stdin_payload.size()));
  }
  void kill_all(Children& children) override {
    Steps::kill_all(children);
    for (const std::string& file : files_) ::unlink(file.c_str());
  }

 private:
  std::vector<std::string> files_;
};

}  // namespace

FAULTY_PLUGIN(SecretInFile)
