#include "hostmesh/channel/detail/session.hpp"

#include <utility>

#include "hostmesh/channel/detail/session_core.hpp"

namespace hostmesh::detail {

namespace {

std::string key_of(const SessionName& name) {
  return std::string(name.begin(), name.end());
}

class SessionStream final : public Stream {
 public:
  explicit SessionStream(std::shared_ptr<SessionCore> core) : core_(std::move(core)) {}
  ~SessionStream() override { core_->leave(); }
  void set_events(StreamEvents* events) override { core_->set_events(events); }
  IoResult read_some(std::span<std::uint8_t> into) override { return core_->read_some(into); }
  IoResult write_some(std::span<const iovec> from) override { return core_->write_some(from); }
  void await_readable() override { core_->await_readable(); }
  void await_writable() override { core_->await_writable(); }
  std::optional<PeerCredentials> credentials() const override { return std::nullopt; }
  const std::string& description() const override { return core_->description(); }
  Error failure() const override { return core_->failure(); }

 private:
  std::shared_ptr<SessionCore> core_;
};

}  // namespace

bool SessionTable::knows(const SessionName& name, const PeerClaim& claim) const {
  const auto found = entries_.find(key_of(name));
  if (found == entries_.end() || found->second.claim != claim) return false;
  const auto core = found->second.core.lock();
  return core && !core->over();
}

void SessionTable::resume(const SessionName& name, const PeerClaim& claim, std::unique_ptr<Stream> stream) {
  if (!knows(name, claim)) return;
  if (const auto core = entries_.at(key_of(name)).core.lock()) core->resume(std::move(stream));
}

std::unique_ptr<Stream> dialled_session(Reactor& reactor, std::unique_ptr<Stream> first,
                                        const SessionName& name, const Limits& limits, Redial redial) {
  auto core = std::make_shared<SessionCore>(reactor, std::move(first), name, limits, std::move(redial));
  core->begin();
  return std::make_unique<SessionStream>(std::move(core));
}

std::unique_ptr<Stream> accepted_session(Reactor& reactor, std::unique_ptr<Stream> first,
                                         const SessionName& name, const PeerClaim& claim,
                                         const Limits& limits, SessionTable& table) {
  auto core = std::make_shared<SessionCore>(reactor, std::move(first), name, limits, nullptr);
  core->begin();
  std::erase_if(table.entries_, [](const auto& entry) { return entry.second.core.expired(); });
  table.entries_[key_of(name)] = {claim, core};
  return std::make_unique<SessionStream>(std::move(core));
}

}  // namespace hostmesh::detail
