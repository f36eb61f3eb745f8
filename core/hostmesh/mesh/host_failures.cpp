#include "hostmesh/mesh/host_failures.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "hostmesh/shape/ranks_text.hpp"

namespace hostmesh {

namespace {

constexpr std::size_t kMostLines = 20;
constexpr std::size_t kMostText = 400;  // bytes of a line's text
constexpr std::size_t kMostName = 40;   // bytes by which the texts are moved to the right for a name

struct Row {
  std::string name;
  std::vector<Rank> ranks;
  Error first;
};

// By the machine, or by what is wrong where that is not known; in the order of the ranks.
std::vector<Row> rows_of(const std::vector<HostFailure>& failures) {
  std::vector<Row> rows;
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  for (const HostFailure& failure : failures) {
    const auto [at, fresh] = places.try_emplace(
        {failure.node, failure.node.empty() ? failure.error.info().message : ""}, rows.size());
    if (fresh) rows.push_back({.name = failure.node, .ranks = {}, .first = failure.error});
    rows[at->second].ranks.push_back(failure.rank);
  }
  for (Row& row : rows) {
    if (row.name.empty()) row.name = "rank " + ranks_text(row.ranks);
  }
  return rows;
}

// In one line: what is wrong, how it ended, and its last word.
std::string what_of(const Error& error) {
  const ErrorInfo& info = error.info();
  std::string text = info.message;
  if (info.os_error != 0) text += "; " + errno_text(info.os_error);
  if (!info.exit_status.empty()) text += "; " + info.exit_status;
  if (!info.last_lines.empty()) text += "; its last line: " + info.last_lines.back();
  std::ranges::replace(text, '\n', ' ');
  if (text.size() > kMostText) text = text.substr(0, kMostText) + "...";
  return text;
}

}  // namespace

Error error_of_hosts(std::vector<HostFailure> failures, std::uint64_t total) {
  HOSTMESH_ASSERT(!failures.empty(), "an error of no hosts");
  std::ranges::sort(failures, {}, &HostFailure::rank);
  const std::vector<Row> rows = rows_of(failures);
  ErrorInfo info = rows.front().first.with_rank(failures.front().rank).info();
  if (rows.size() == 1) {
    if (failures.size() > 1) {
      info.message += " (" + std::to_string(failures.size()) + " of " + std::to_string(total) +
                      " hosts did not come up" + (failures.front().node.empty() ? "" : ", all there") +
                      ": rank " + ranks_text(rows.front().ranks) + ")";
    }
    return Error(std::move(info));
  }
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, std::min(row.name.size(), kMostName));
  std::string table =
      std::to_string(failures.size()) + " of " + std::to_string(total) + " hosts did not come up:";
  for (std::size_t i = 0; i < std::min(rows.size(), kMostLines); ++i) {
    const Row& row = rows[i];
    table += "\n  " + row.name + std::string(width - std::min(row.name.size(), width) + 2, ' ') +
             what_of(row.first);
  }
  if (rows.size() > kMostLines) table += "\n  and " + std::to_string(rows.size() - kMostLines) + " more";
  return Error(ErrorInfo{.cause = info.cause, .message = std::move(table), .phase = info.phase});
}

}  // namespace hostmesh
