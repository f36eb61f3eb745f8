// In place of channel/detail/tls.cpp in the child that starts fastest; see docs/decisions.md.
#include "hostmesh/channel/detail/tls.hpp"

namespace hostmesh::detail {

namespace {

Error without_tls(const Stream& stream) {
  return Error(ErrorInfo{.cause = Cause::kConfiguration,
                         .message = stream.description() + " needs TLS, which this program was built without",
                         .hint = "start hostmesh-bootstrap-tls in place of hostmesh-bootstrap"});
}

}  // namespace

Result<std::unique_ptr<Stream>> dialling_tls(Reactor&, std::unique_ptr<Stream> inner, const PeerClaim&,
                                             const Secret&) {
  return without_tls(*inner);
}

Result<std::unique_ptr<Stream>> listening_tls(Reactor&, std::unique_ptr<Stream> inner,
                                              std::shared_ptr<const ListenOptions>) {
  return without_tls(*inner);
}

}  // namespace hostmesh::detail
