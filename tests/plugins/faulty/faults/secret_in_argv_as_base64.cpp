// Hands the payload down on the command line as well, in base64.
#include "launcher.hpp"

namespace {

using namespace faulty;

class SecretInArgvAsBase64 : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    constexpr std::size_t kMost = 4096;
    if (request.stdin_payload.empty() || request.stdin_payload.size() > kMost) return;
    std::string text = "x=0;";
    constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::uint32_t bits = 0;
    int count = 0;
    for (const std::uint8_t byte : request.stdin_payload) {
      bits = bits << 8 | byte;
      for (count += 8; count >= 6; count -= 6) text += kDigits[bits >> (count - 6) & 63];
    }
    request.argv.push_back(text);
  }
};

}  // namespace

FAULTY_PLUGIN(SecretInArgvAsBase64)
