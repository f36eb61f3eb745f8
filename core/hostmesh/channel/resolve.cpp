#include "hostmesh/channel/resolve.hpp"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>
#include <utility>

#include "hostmesh/base/thread.hpp"
#include "hostmesh/channel/detail/look_up.hpp"

namespace hostmesh {

namespace {

using Answer = Result<std::vector<ChannelAddr>>;

struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};

std::optional<HostAndPort> split(std::string_view text) {
  if (!text.starts_with("tcp:")) return std::nullopt;
  text.remove_prefix(4);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  HostAndPort result{.host = std::string(text.substr(0, colon))};
  const std::string_view port = text.substr(colon + 1);
  const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), result.port);
  // Nothing that could be taken for an option either.
  const bool well_formed = failure == std::errc() && end == port.data() + port.size() &&
                           !result.host.starts_with('-') &&
                           result.host.find_first_of(std::string_view(":/@[] \0", 7)) == std::string::npos;
  return well_formed ? std::optional(std::move(result)) : std::nullopt;
}

Answer look_up(const HostAndPort& wanted) {
  auto ips = detail::look_up_host(wanted.host);
  if (!ips) return ips.error();
  std::vector<ChannelAddr> all;
  for (const std::string& ip : *ips) {
    auto addr = ChannelAddr::tcp(ip, wanted.port);
    if (addr && std::find(all.begin(), all.end(), *addr) == all.end()) all.push_back(*std::move(addr));
  }
  if (all.empty()) return Error(Cause::kUnroutable, "host '" + wanted.host + "' has no IPv4 or IPv6 address");
  return all;
}

// What the thread and the one who asks share. While the lock is held and `reactor` is set, the reactor lives.
struct Question {
  std::mutex mutex;
  Reactor* reactor = nullptr;
  std::function<void(Answer)> done;  // reactor thread only
};

class Asked final : public Resolution {
 public:
  Asked(Reactor& reactor, std::function<void(Answer)> done)
      : question_(std::make_shared<Question>()), timer_(reactor) {
    question_->reactor = &reactor;
    question_->done = std::move(done);
  }
  ~Asked() override {
    const std::scoped_lock lock(question_->mutex);
    question_->reactor = nullptr;
    question_->done = nullptr;
  }

  void answer_later(Answer answer) { deliver(question_, std::move(answer)); }

  void ask(HostAndPort wanted, Deadline deadline) {
    timer_.at(deadline, [question = question_, host = wanted.host] {
      finish(*question,
             Error(Cause::kTimeout, "no answer came in time to what the address of host '" + host + "' is"));
    });
    auto thread = start_thread("hm-resolve", [question = question_, wanted = std::move(wanted)] {
      try {
        deliver(question, look_up(wanted));
      } catch (...) {
        deliver(question,
                error_of_exception("the address of host '" + wanted.host + "' was not found", "resolve"));
      }
    });
    if (!thread) return answer_later(thread.error().with_phase("resolve"));
    thread->detach();
  }

 private:
  static void deliver(const std::shared_ptr<Question>& question, Answer answer) {
    const std::scoped_lock lock(question->mutex);
    if (question->reactor == nullptr) return;
    question->reactor->post([question, answer = std::move(answer)] { finish(*question, answer); });
  }
  static void finish(Question& question, Answer answer) {
    const auto done = std::exchange(question.done, nullptr);
    if (done) done(std::move(answer));
  }

  std::shared_ptr<Question> question_;
  Timer timer_;
};

}  // namespace

std::unique_ptr<Resolution> resolve(Reactor& reactor, std::string_view text, Deadline deadline,
                                    std::function<void(Answer)> done) {
  auto asked = std::make_unique<Asked>(reactor, std::move(done));
  auto addr = ChannelAddr::parse(text);
  if (addr) {
    asked->answer_later(std::vector<ChannelAddr>{*std::move(addr)});
  } else if (auto wanted = split(text)) {
    asked->ask(*std::move(wanted), deadline);
  } else {
    asked->answer_later(addr.error());
  }
  return asked;
}

}  // namespace hostmesh
