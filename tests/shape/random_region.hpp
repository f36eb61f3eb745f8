// Regions for property tests: any number of dimensions, permuted strides, gaps, offsets, awkward labels.
#pragma once

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "hostmesh/shape/region.hpp"

namespace hostmesh::testing {

using Random = std::mt19937_64;

inline std::uint64_t pick(Random& random, std::uint64_t low, std::uint64_t high) {
  return std::uniform_int_distribution<std::uint64_t>(low, high)(random);
}

inline Region random_region(Random& random) {
  static const std::vector<std::string> kLabels = {"x",     "host_1",    "7",         "dim/0",
                                                   "a,b=c", "q\"uo\\te", "tab\tnew\n"};
  const std::size_t dims = pick(random, 0, 4);
  std::vector<std::string> labels;
  std::ranges::sample(kLabels, std::back_inserter(labels), static_cast<std::ptrdiff_t>(dims), random);
  std::ranges::shuffle(labels, random);
  std::vector<std::size_t> order(dims);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::shuffle(order, random);
  std::vector<std::uint64_t> sizes(dims);
  std::vector<std::uint64_t> strides(dims);
  std::uint64_t reach = 0;
  for (const std::size_t i : order) {
    sizes[i] = pick(random, 1, 5);
    strides[i] = reach + pick(random, 1, 3);
    reach += (sizes[i] - 1) * strides[i];
  }
  const Rank offset = pick(random, 0, 1) == 0 ? 0 : pick(random, 1, 40);
  auto slice = value_or_throw(Slice::make(offset, std::move(sizes), std::move(strides)));
  return value_or_throw(Region::make(std::move(labels), std::move(slice)));
}

// `region` with its dimensions in another order: the same ranks, walked differently.
inline Region transposed(Random& random, const Region& region) {
  std::vector<std::size_t> order(region.extent().dims());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::shuffle(order, random);
  std::vector<std::string> labels;
  std::vector<std::uint64_t> sizes;
  std::vector<std::uint64_t> strides;
  for (const std::size_t i : order) {
    labels.push_back(region.labels()[i]);
    sizes.push_back(region.slice().sizes()[i]);
    strides.push_back(region.slice().strides()[i]);
  }
  auto slice = value_or_throw(Slice::make(region.slice().offset(), std::move(sizes), std::move(strides)));
  return value_or_throw(Region::make(std::move(labels), std::move(slice)));
}

// A part of `region`: some dimensions restricted, perhaps transposed.
inline Region random_part(Random& random, const Region& region) {
  Region part = region;
  for (const std::string& label : region.labels()) {
    const std::uint64_t size = *part.extent().size(label);
    const std::uint64_t begin = pick(random, 0, size - 1);
    const Range range{.begin = begin, .end = pick(random, begin + 1, size + 2), .step = pick(random, 1, 3)};
    if (pick(random, 0, 1) == 0) part = value_or_throw(part.range(label, range));
  }
  return pick(random, 0, 1) == 0 ? part : transposed(random, part);
}

}  // namespace hostmesh::testing
