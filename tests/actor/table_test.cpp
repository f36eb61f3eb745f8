#include "hostmesh/actor/table.hpp"

#include "actor/support.hpp"

namespace hostmesh {
namespace {

using namespace test;

class Throws : public Actor {
 public:
  using Handles = Messages<>;
  explicit Throws(std::string why) { throw std::runtime_error(why); }
};

ActorTable sample_table() {
  ActorTable table;
  table.add<Counter, std::int64_t>("counter");
  table.add<Throws, std::string>("throws");
  return table;
}

TEST(ActorTable, MakesActorsFromTheirParameters) {
  Node node("n", sample_table());
  Proc& proc = node.proc(ProcId::ranked("n", 0));
  Client client(proc, "client");
  const auto id = proc.spawn_by_type("counter", "c", actor_params<std::int64_t>(41));
  ASSERT_TRUE(id) << id.error().text();
  EXPECT_EQ(id->text(), "n[0].c[0]");
  EXPECT_EQ(client.call(ActorRef<Counter>::attest(*id), Read{}, soon()), 41);
}

TEST(ActorTable, NamesWhatItKnowsAndWhatIsNearest) {
  const auto made = sample_table().make("cuonter", {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().cause(), Cause::kInvalidArgument);
  EXPECT_NE(made.error().text().find("counter, throws"), std::string::npos) << made.error().text();
  EXPECT_EQ(made.error().info().hint, "'counter'");
  EXPECT_EQ(sample_table().make("entirely_different", {}).error().info().hint, "");
  EXPECT_EQ(ActorTable().make("counter", {}).error().info().hint, "");
}

TEST(ActorTable, RefusesParametersOfAnotherShape) {
  const auto made = sample_table().make("counter", Bytes{1, 2, 3});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().cause(), Cause::kProtocol);
}

TEST(ActorTable, ReportsWhatAConstructorThrows) {
  const auto made = sample_table().make("throws", actor_params<std::string>("no luck"));
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().text().find("no luck"), std::string::npos) << made.error().text();
}

}  // namespace
}  // namespace hostmesh
