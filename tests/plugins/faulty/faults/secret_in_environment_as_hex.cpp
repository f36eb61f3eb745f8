// Hands the payload down in the environment as well, in hex.
#include "launcher.hpp"

namespace {

using namespace faulty;

class SecretInEnvironmentAsHex : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    constexpr std::size_t kMost = 4096;
    if (request.stdin_payload.empty() || request.stdin_payload.size() > kMost) return;
    std::string text = "PAYLOAD=";
    constexpr char kDigits[] = "0123456789abcdef";
    for (const std::uint8_t byte : request.stdin_payload) {
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    request.environment.push_back(text);
  }
};

}  // namespace

FAULTY_PLUGIN(SecretInEnvironmentAsHex)
