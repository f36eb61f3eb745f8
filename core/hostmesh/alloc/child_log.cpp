#include "hostmesh/alloc/child_log.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "hostmesh/base/text.hpp"

namespace hostmesh {

namespace {

// "2026-11-20T19:06:24.035369 hostmesh[13617] warning what happened key=value": the level, and what comes
// after.
std::optional<std::pair<log::Level, std::string_view>> parse(std::string_view line) {
  constexpr std::size_t kTime = 26;
  constexpr std::string_view kProgram = " hostmesh[";
  constexpr std::string_view kDigits = "0123456789";
  if (line.size() < kTime || line[10] != 'T') return std::nullopt;
  line.remove_prefix(kTime);
  if (!line.starts_with(kProgram)) return std::nullopt;
  line.remove_prefix(kProgram.size());
  const std::size_t digits = std::min(line.find_first_not_of(kDigits), line.size());
  line.remove_prefix(digits);
  for (const auto& [level, name] :
       {std::pair<log::Level, std::string_view>{log::Level::kWarning, "] warning "},
        {log::Level::kError, "] error "}}) {
    if (digits > 0 && line.starts_with(name)) return std::pair(level, line.substr(name.size()));
  }
  return std::nullopt;
}

}  // namespace

bool ChildLog::Budget::has_some(TimePoint now) {
  if (filled_ != TimePoint{} && now > filled_) {
    left_ = std::min(burst_, left_ + rate_ * std::chrono::duration<double>(now - filled_).count());
  }
  filled_ = std::max(filled_, now);
  return left_ >= 1;
}

void ChildLog::feed(ChildId id, HasRun has_run, ByteView bytes, TimePoint now) {
  Child& child = children_[id];
  if (has_run == HasRun::kYes) child.has_run = true;
  child.lines.feed(bytes, [&](const Line& line) { add(id, child, line, now); });
}

void ChildLog::add(ChildId id, Child& child, const Line& line, TimePoint now) {
  const bool is_rest = std::exchange(child.is_inside_long_line, line.continued);
  if (is_rest) return;
  const auto parsed = parse(line.text);
  if (!parsed) return;
  Record record{.level = parsed->first, .text = printable(parsed->second)};
  if (line.continued) record.text += "...";
  if (child.has_run) return pass(id, child, record, now);
  if (child.early.size() < static_cast<std::size_t>(kBurst)) {
    child.early.push_back(std::move(record));
  } else {
    ++child.left_out;
  }
}

void ChildLog::running(ChildId id, TimePoint now) {
  const auto found = children_.find(id);
  if (found == children_.end()) return;
  Child& child = found->second;
  child.has_run = true;
  for (const Record& record : std::exchange(child.early, {})) pass(id, child, record, now);
}

void ChildLog::pass(ChildId id, Child& child, const Record& record, TimePoint now) {
  // Both are asked, so that both know the time.
  const bool may_it = child.budget.has_some(now);
  const bool may_all = all_.has_some(now);
  if (!may_it || !may_all) {
    ++child.left_out;
    return;
  }
  child.budget.take();
  all_.take();
  tell_left_out(id, child);
  sink_(id, record.level, record.text);
}

void ChildLog::tell_left_out(ChildId id, Child& child) {
  const std::uint64_t count = std::exchange(child.left_out, 0);
  if (count == 0) return;
  sink_(id, log::Level::kWarning,
        "there was more in its log than is passed on lines=" + std::to_string(count));
}

void ChildLog::ended(ChildId id) {
  const auto found = children_.find(id);
  if (found == children_.end()) return;
  // One that never ran is reported of with its last lines.
  if (found->second.has_run) tell_left_out(id, found->second);
  children_.erase(found);
}

}  // namespace hostmesh
