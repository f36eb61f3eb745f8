#include <gtest/gtest.h>

#include <sstream>

#include "hostmesh/shape/extent.hpp"

namespace hostmesh {
namespace {

TEST(Point, TextGivesEachCoordinateWithItsSize) {
  const Extent extent{{"x", 4}, {"y", 5}, {"z", 6}};
  EXPECT_EQ(extent.point({1, 2, 3})->text(), "x=1/4,y=2/5,z=3/6");
  EXPECT_EQ((Extent{{"dim/0", 3}, {"dim,1", 5}}).point({1, 2})->text(), R"("dim/0"=1/3,"dim,1"=2/5)");
  EXPECT_EQ(Point().text(), "");
}

TEST(Point, PrintsAsItsText) {
  std::ostringstream out;
  out << *(Extent{{"x", 4}, {"y", 5}}).point({1, 2});
  EXPECT_EQ(out.str(), "x=1/4,y=2/5");
}

TEST(Point, ItsTextParsesBack) {
  for (const char* text :
       {"", "x=1/4", "x=1/4,y=2/5,z=3/6", R"("dim/0"=1/3,"dim,1"=2/5)", R"("a\"b\\c\nd\te\rf"=0/1)"}) {
    const auto point = Point::parse(text);
    ASSERT_TRUE(point) << point.error().text();
    EXPECT_EQ(point->text(), text);
    EXPECT_EQ(*Point::parse(point->text()), *point);
  }
}

TEST(Point, SpacesAreTolerated) {
  EXPECT_EQ(Point::parse(" x = 1 / 4 , y = 2 / 5 ")->text(), "x=1/4,y=2/5");
  EXPECT_EQ(Point::parse("  ")->text(), "");
}

TEST(Point, KnowsItsRankAndCoordinatesByLabel) {
  const auto point = Point::parse("x=1/4,y=2/5");
  EXPECT_EQ(point->rank(), 7U);
  EXPECT_EQ(point->coord("y"), 2U);
  EXPECT_EQ(point->coord("z"), std::nullopt);
  EXPECT_EQ(point->extent(), (Extent{{"x", 4}, {"y", 5}}));
}

class RefusedPoint : public ::testing::TestWithParam<const char*> {};

TEST_P(RefusedPoint, IsAnInvalidArgument) {
  const auto point = Point::parse(GetParam());
  ASSERT_FALSE(point);
  EXPECT_EQ(point.error().cause(), Cause::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Texts, RefusedPoint,
                         ::testing::Values("x=1,y=2/5", "x=1/4,y=2", "x=1/4,y=/5", "x=/4,y=2/5", "x=1/4,y=2/",
                                           "x=1/,y=2/5", "x=1/4=5,y=2/5", "x=1/4/6,y=2/5", "x=abc/4,y=2/5",
                                           "x=1/abc,y=2/5", "=1/4,y=2/5", "x=1/4,", "x=1/4,=2/5", "x=1/4,y",
                                           "x", "x=", "x=1/4,y=10/5", "x=1/4,x=2/5", "x=4/4", "x=0/0",
                                           "x=1/4abc", "x=1/4 5", "x=99999999999999999999/4", "x=-1/4",
                                           "\"x=1/4", "\"\"=1/4", ",", "x=0/4294967296,y=0/4294967296"));

TEST(Point, ACoordinateBeyondItsSizeIsReportedWithBoth) {
  EXPECT_EQ(Point::parse("x=1/4,y=10/5").error().text(),
            "out of range: dim size 5; does not contain index 10");
}

TEST(Point, DictionaryTextIsForPeople) {
  EXPECT_EQ(Point::parse("x=1/2,y=2/3")->dictionary_text(), "{'x': 1/2, 'y': 2/3}");
  EXPECT_EQ(Point().dictionary_text(), "{}");
  EXPECT_EQ((Extent{{"it's", 2}}).point({1})->dictionary_text(), R"({'it\'s': 1/2})");
}

}  // namespace
}  // namespace hostmesh
