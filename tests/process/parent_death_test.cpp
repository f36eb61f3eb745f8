#include <future>

#include "fixture.hpp"
#include "hostmesh/process/detail/pidfd.hpp"
#include "hostmesh/process/launch_thread.hpp"

namespace hostmesh::test {
namespace {

class ParentDeath : public ProcessTest {};

TEST_F(ParentDeath, AKilledOwnerTakesItsChildAlong) {
  // Given an owner with a child that holds the owner's stdout
  Child& owner = start(helper({"own-a-child"}));
  ASSERT_TRUE(run_until([&] { return owner.out.ends_with("\n"); }));
  const pid_t grandchild = std::stoi(owner.out);
  const UniqueFd handle = detail::open_pidfd(grandchild);
  ASSERT_TRUE(handle);
  // When the owner is killed without a chance to clean up
  ASSERT_TRUE(owner.process->signal(SIGKILL));
  // Then the stream ends, because both are gone
  ASSERT_TRUE(run_until([&] { return owner.finished(); }));
  EXPECT_TRUE(detail::wait_dead(handle.get(), std::chrono::seconds(20)));
}

TEST_F(ParentDeath, TheEndOfTheLaunchThreadSendsTheSignal) {
  auto launcher = std::make_unique<LaunchThread>();
  SpawnRequest request = helper({"linger"});
  request.parent_death_signal = SIGTERM;
  std::promise<Result<SpawnedProcess>> launched;
  launcher->launch(request, [&](Result<SpawnedProcess> child) { launched.set_value(std::move(child)); });
  Result<SpawnedProcess> spawned = launched.get_future().get();
  ASSERT_TRUE(spawned);
  Child child;
  ChildProcess process(reactor(), *std::move(spawned), record_in(child));
  ASSERT_TRUE(run_until([&] { return !child.out.empty(); }));
  launcher.reset();
  ASSERT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.status, ExitStatus::signalled(SIGTERM, false));
}

}  // namespace
}  // namespace hostmesh::test
