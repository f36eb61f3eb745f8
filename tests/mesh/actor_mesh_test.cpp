// Actors on all procs of a mesh, talking to the client and to each other.
#include <set>

#include "mesh/fixture.hpp"

namespace hostmesh::test {
namespace {

class Actors : public MeshOnAny {
 protected:
  static std::vector<std::int64_t> values(const std::vector<std::pair<Point, std::int64_t>>& answers) {
    std::vector<std::int64_t> all;
    for (const auto& [point, value] : answers) all.push_back(value);
    return all;
  }
};

ON_ANY_ALLOCATOR(Actors);

TEST_P(Actors, ACastReachesAllAndACallAnswersInRankOrder) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});
  auto counters = workers.spawn<Counter>("counter", 1);

  counters.cast(Increment{3});
  client().send(counters.at(2), Increment{10});
  const auto answers = counters.call(Read{});

  EXPECT_EQ(values(answers), (std::vector<std::int64_t>{4, 4, 14, 4}));
  ASSERT_EQ(answers.size(), 4u);
  EXPECT_EQ(answers[2].first.text(), "hosts=1/2,gpus=0/2");
  mesh.shutdown();
}

TEST_P(Actors, OfOneTypeMayLiveUnderSeveralNames) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});

  auto left = workers.spawn_named<Counter>("counter", "left", 1);
  auto right = workers.spawn_named<Counter>("counter", "right", 2);

  EXPECT_EQ(values(left.call(Read{})), (std::vector<std::int64_t>{1, 1}));
  EXPECT_EQ(values(right.call(Read{})), (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(left.at(0).id().name, "left");
  mesh.shutdown();
}

TEST_P(Actors, EveryPairOfThemCanTalk) {
  HostMesh mesh = hosts({{"hosts", 3}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});
  auto counters = workers.spawn<Counter>("counter", 0);
  auto [home, arrived] = client().open_port<std::vector<ActorId>>();

  for (Rank from = 0; from < 6; ++from) {
    for (Rank to = 0; to < 6; ++to) {
      client().send(counters.at(from), Visit{.ahead = {counters.at(to).id()}, .seen = {}, .home = home});
    }
  }

  std::set<std::pair<std::string, std::string>> pairs;
  for (int i = 0; i < 36; ++i) {
    const auto seen = arrived.receive(soon());
    ASSERT_TRUE(seen) << "after " << i << ": " << seen.error().text();
    ASSERT_EQ(seen->size(), 2u);
    pairs.emplace(seen->at(0).text(), seen->at(1).text());
  }
  EXPECT_EQ(pairs.size(), 36u);
  mesh.shutdown();
}

TEST_P(Actors, AMessageFindsItsWayThroughAllOfThem) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});
  auto counters = workers.spawn<Counter>("counter", 0);
  auto [home, arrived] = client().open_port<std::vector<ActorId>>();
  const std::vector<ActorId> path{counters.at(3).id(), counters.at(0).id(), counters.at(2).id(),
                                  counters.at(1).id()};

  client().send(counters.at(0), Visit{.ahead = path, .seen = {}, .home = home});

  const auto seen = arrived.receive(soon());
  ASSERT_TRUE(seen) << seen.error().text();
  ASSERT_EQ(seen->size(), 5u);
  EXPECT_EQ(std::vector<ActorId>(seen->begin() + 1, seen->end()), path);
  mesh.shutdown();
}

// --- what can go wrong
// --------------------------------------------------------------------------------------------

TEST_P(Actors, ATypeThatTheProgramDoesNotKnowIsNamedWithThoseItKnows) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});

  const Error error = error_of([&] { (void)workers.spawn<Counter>("countr", 1); });

  EXPECT_EQ(error.info().rank, 0u) << error.text();
  EXPECT_NE(error.text().find("countr"), std::string::npos);
  EXPECT_NE(error.text().find("counter"), std::string::npos);
  EXPECT_NE(error.text().find("2 failures among 2 ranks: 0-1"), std::string::npos) << error.text();
  mesh.shutdown();
}

TEST_P(Actors, WhatAConstructorThrowsIsTheErrorOfTheSpawn) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {});

  const Error error = error_of([&] { (void)workers.spawn<Counter>("counter", -1); });

  EXPECT_NE(error.text().find("a negative start"), std::string::npos) << error.text();
  EXPECT_EQ(values(workers.spawn<Counter>("counter", 2).call(Read{})), std::vector<std::int64_t>{2});
  mesh.shutdown();
}

TEST_P(Actors, AFailedSpawnLeavesNoActorsBehind) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});
  const auto agent = ActorRef<ProcAgentProtocol>::attest({.proc = workers.proc_id(1), .name = kAgentActor});
  (void)client().call(agent,
                      SpawnActor{.type = "counter",
                                 .name = "taken",
                                 .params = wire::encode(Counter::Parameters(1)),
                                 .owner = std::nullopt},
                      soon());

  const Error error = error_of([&] { (void)workers.spawn_named<Counter>("counter", "taken", 1); });

  EXPECT_EQ(error.info().rank, 1u) << error.text();
  const ActorId undone{.proc = workers.proc_id(0), .name = "taken"};
  const auto answer = client().try_call(ActorRef<Counter>::attest(undone), Read{}, soon());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().cause(), Cause::kActorGone) << answer.error().text();
  mesh.shutdown();
}

TEST_P(Actors, OneThatThrowsFailsAloneAndItsOwnerHears) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ProcMesh workers = procs(mesh, {});
  auto counters = workers.spawn<Counter>("counter", 1);
  auto [owner, heard] = client().open_port<SupervisionEvent>();
  const auto agent = ActorRef<ProcAgentProtocol>::attest({.proc = workers.proc_id(1), .name = kAgentActor});
  const ActorId doomed = client().call(agent,
                                       SpawnActor{.type = "counter",
                                                  .name = "doomed",
                                                  .params = wire::encode(Counter::Parameters(1)),
                                                  .owner = owner},
                                       soon());

  client().send(ActorRef<Counter>::attest(doomed), Throw{"enough"});

  const auto event = heard.receive(soon());
  ASSERT_TRUE(event) << event.error().text();
  EXPECT_EQ(event->actor, doomed);
  EXPECT_EQ(event->kind, SupervisionEvent::Kind::kFailed);
  EXPECT_NE(event->text.find("enough"), std::string::npos) << event->text;
  EXPECT_EQ(values(counters.call(Read{})), (std::vector<std::int64_t>{1, 1})) << "its neighbours live";
  const auto answer = client().try_call(ActorRef<Counter>::attest(doomed), Read{}, soon());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().cause(), Cause::kActorGone) << answer.error().text();
  mesh.shutdown();
}

TEST_P(Actors, ACallThatIsNotAnsweredNamesTheRanksAtTheDeadline) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});
  auto counters = workers.spawn<Counter>("counter", 1);

  const Error error =
      error_of([&] { (void)counters.call(Wait{}, Deadline::after(std::chrono::milliseconds(200))); });

  EXPECT_EQ(error.cause(), Cause::kTimeout);
  EXPECT_NE(error.text().find("0-1"), std::string::npos) << error.text();
  mesh.shutdown();
}

TEST_P(Actors, CallsThatWaitAreRefusedOnTheReactor) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {});
  auto counters = workers.spawn<Counter>("counter", 1);

  runtime().run_on_reactor([&] {
    const auto refused = [](auto work) { return error_of(work).cause() == Cause::kInternal; };
    EXPECT_TRUE(refused([&] { (void)mesh.spawn("workers", {}); }));
    EXPECT_TRUE(refused([&] { (void)mesh.proc_states(workers); }));
    EXPECT_TRUE(refused([&] { (void)workers.spawn<Counter>("counter", 1); }));
    EXPECT_TRUE(refused([&] { (void)counters.call(Read{}); }));
    EXPECT_TRUE(refused([&] { (void)workers.stop(); }));
    EXPECT_TRUE(refused([&] { mesh.shutdown(); }));
  });

  EXPECT_EQ(counters.call(Read{}).size(), 1u) << "the refusal changed nothing";
  mesh.shutdown();
  EXPECT_EQ(host_states<ProcStopped>().size(), 1u);
}

}  // namespace
}  // namespace hostmesh::test
