// The commands of the command line; each returns the exit status.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "hostmesh/base/deadline.hpp"

namespace hostmesh::cli {

inline constexpr int kUsageStatus = 2;      // a usage or configuration error
inline constexpr int kNotComeUpStatus = 3;  // the mesh did not come up

enum class Labels { kRank, kNone };
enum class Streams { kApart, kMerged };
enum class OnFailure { kStopAll, kKeepGoing };
enum class Format { kText, kJson };

struct RunOptions {
  std::string config;     // plugins.yaml; empty: the usual place
  std::string allocator;  // empty: the file's default
  std::string extent = "hosts=1";
  std::string per_host;  // empty: one proc a host
  std::string name = "run";
  std::string timeout = "60s";
  OnFailure on_failure = OnFailure::kStopAll;
  Format format = Format::kText;
  Labels labels = Labels::kRank;
  Streams streams = Streams::kApart;
  std::string exported;  // as Export::parse() reads it; empty: the usual
  std::vector<std::string> command;
  // The process above this one that ends when this one does; 0: there is none. When it is gone, the run is
  // over.
  pid_t keeper = 0;
};
int run(const RunOptions& options);

struct AllocatorsOptions {
  std::string config;
  std::string name;  // empty: all
};
int allocators(const AllocatorsOptions& options);

}  // namespace hostmesh::cli
