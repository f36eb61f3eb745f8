// The short run of a fuzz target: its kept corpus, then seeded random mutations of it. Compiled once for each
// target.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr int kMutations = 20'000;
constexpr std::size_t kLongest = 4096;

std::vector<Input> corpus() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(HOSTMESH_FUZZ_CORPUS))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Input> inputs;
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return inputs;
}

void mutate(Input& input, const Input& other, std::mt19937& random) {
  const auto below = [&random](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
  const auto at = [&](std::size_t position) { return input.begin() + static_cast<std::ptrdiff_t>(position); };
  constexpr std::uint8_t kEdges[] = {0, 1, 0x7f, 0x80, 0xff};
  const std::size_t position = below(input.size());
  switch (below(6)) {
    case 0:
      if (!input.empty()) input[position] = static_cast<std::uint8_t>(random());
      break;
    case 1:
      if (!input.empty()) input[position] = kEdges[below(std::size(kEdges))];
      break;
    case 2:
      if (!input.empty()) input[position] ^= static_cast<std::uint8_t>(1U << below(8));
      break;
    case 3:
      input.insert(at(position), below(8), static_cast<std::uint8_t>(random()));
      break;
    case 4:
      input.erase(at(position), at(position + below(input.size() - position)));
      break;
    default: {
      const std::size_t from = below(other.size());
      const std::size_t count = below(other.size() - from + 1);
      input.insert(at(position), other.begin() + static_cast<std::ptrdiff_t>(from),
                   other.begin() + static_cast<std::ptrdiff_t>(from + count));
    }
  }
  if (input.size() > kLongest) input.resize(kLongest);
}

void run(const Input& input) {
  // An allocation of exactly its size, so that reading beyond it shows.
  const Input exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

TEST(Fuzz, TheKeptCorpusIsHandled) {
  const auto inputs = corpus();
  ASSERT_FALSE(inputs.empty()) << "nothing in " HOSTMESH_FUZZ_CORPUS;
  for (const Input& input : inputs) run(input);
}

TEST(Fuzz, SeededMutationsOfTheCorpusAreHandled) {
  std::vector<Input> inputs = corpus();
  inputs.push_back({});
  std::mt19937 random(20'231);
  for (int i = 0; i < kMutations; ++i) {
    Input input = inputs[random() % inputs.size()];
    for (std::size_t edits = 1 + random() % 6; edits > 0; --edits) {
      mutate(input, inputs[random() % inputs.size()], random);
    }
    run(input);
  }
}

}  // namespace
