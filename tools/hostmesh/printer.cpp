#include "printer.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "hostmesh/base/text.hpp"

namespace hostmesh::cli {

namespace json = boost::json;

namespace {

// A pipe that poll() calls writable takes this much without blocking.
constexpr std::size_t kPipeChunk = 4096;
constexpr std::size_t kBuffer = 64 << 10;

json::object reason_json(const StopReason& reason) {
  json::array tail;
  for (const std::string& line : reason.stderr_tail) tail.emplace_back(line);
  json::object object{{"kind", StopReason::name(reason.kind)}};
  if (reason.signal != 0) {
    object["signal"] = reason.signal;
  } else {
    object["code"] = reason.code;
  }
  object["core_dumped"] = reason.core_dumped;
  if (!reason.detail.empty()) object["detail"] = reason.detail;
  object["stderr_tail"] = std::move(tail);
  return object;
}

// What is in an event comes from commands, plugins and machines, and none of them has promised UTF-8.
void make_valid(json::value& value) {
  if (auto* const text = value.if_string()) {
    if (!is_valid_utf8(*text)) *text = valid_utf8(*text);
  } else if (auto* const items = value.if_array()) {
    for (json::value& item : *items) make_valid(item);
  } else if (auto* const object = value.if_object()) {
    json::object valid;
    for (auto& [key, member] : *object) {
      make_valid(member);
      if (!is_valid_utf8(key)) valid[valid_utf8(key)] = member;
    }
    if (valid.empty()) return;
    for (auto& [key, member] : *object) {
      if (is_valid_utf8(key)) valid[key] = std::move(member);
    }
    *object = std::move(valid);
  }
}

bool are_one_file(int one, int other) {
  struct stat first {};
  struct stat second {};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// Seconds as people and awk read them, never with an exponent.
std::string seconds_text(double seconds) {
  std::array<char, 64> text;
  const auto [end, failed] =
      std::to_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed, 6);
  return failed == std::errc() ? std::string(text.data(), end) : "0";
}

// The one place where an event becomes text, with these times as its last members.
std::string as_line(json::object object, const std::vector<std::pair<std::string_view, double>>& times = {}) {
  json::value event(std::move(object));
  make_valid(event);
  std::string line = json::serialize(event);
  line.pop_back();
  for (const auto& [name, seconds] : times)
    line.append(",\"").append(name).append("\":") += seconds_text(seconds);
  return line + "}\n";
}

}  // namespace

Printer::Printer(Format format, Labels labels, std::function<Patience()> patience, int cancel_fd)
    : format_(format),
      patience_(std::move(patience)),
      cancel_fd_(cancel_fd),
      is_one_file_(are_one_file(STDOUT_FILENO, STDERR_FILENO)),
      lines_([this](Rank rank, Stream stream, const Line& piece) { line(rank, stream, piece); }),
      out_(labels),
      err_(labels) {}

void Printer::state(const ProcState& state, double t) {
  if (format_ != Format::kJson) return;
  json::object event;
  if (const auto* created = std::get_if<ProcCreated>(&state)) {
    json::object point;
    for (std::size_t i = 0; i < created->point.coords().size(); ++i) {
      point[created->point.extent().labels()[i]] = created->point.coords()[i];
    }
    event = {{"event", "created"},        {"rank", created->rank},
             {"point", std::move(point)}, {"create_key", created->create_key.text()},
             {"pid", created->pid},       {"node", created->node}};
  } else if (const auto* running = std::get_if<ProcRunning>(&state)) {
    event = {{"event", "running"},
             {"create_key", running->create_key.text()},
             {"rank", running->rank},
             {"proc_id", running->proc_id.text()},
             {"addr", running->addr.text()}};
  } else if (const auto* stopped = std::get_if<ProcStopped>(&state)) {
    event = {{"event", "stopped"},
             {"create_key", stopped->create_key.text()},
             {"rank", stopped->rank},
             {"reason", reason_json(stopped->reason)}};
  } else if (const auto* failed = std::get_if<AllocFailed>(&state)) {
    event = {{"event", "failed"}, {"description", failed->error.text()}};
  }
  write(STDOUT_FILENO, as_line(event, {{"t", t}}));
}

void Printer::proc(const ProcChange& change, const ProcId& id, double t) {
  if (format_ != Format::kJson) return;
  write(STDOUT_FILENO, as_line({{"event", "proc"},
                                {"rank", change.rank},
                                {"proc_id", id.text()},
                                {"pid", change.pid},
                                {"status", change.status.text()}},
                               {{"t", t}}));
}

void Printer::output(const ProcOutput& output, double t, HeldLines::TimePoint when) {
  switch (output.what) {
    case ProcOutput::What::kStdout:
      return lines_.feed(output.rank, Stream::kStdout, output.bytes, when);
    case ProcOutput::What::kStderr:
      return lines_.feed(output.rank, Stream::kStderr, output.bytes, when);
    case ProcOutput::What::kEnd:
      lines_.end(output.rank);
      return exit(output, t);
  }
}

void Printer::line(Rank rank, Stream stream, const Line& line) {
  if (format_ == Format::kJson) {
    json::object event{
        {"event", "output"}, {"rank", rank}, {"stream", to_string(stream)}, {"line", line.text}};
    if (line.continued) event["continued"] = true;
    write(STDOUT_FILENO, as_line(std::move(event)));
    return;
  }
  const int fd = target(stream == Stream::kStdout ? STDOUT_FILENO : STDERR_FILENO);
  write(fd, (fd == STDOUT_FILENO ? out_ : err_).add(rank, stream, line));
}

void Printer::exit(const ProcOutput& end, double t) {
  if (format_ != Format::kJson) {
    if (end.reason) left_behind(end.rank, end.reason->left_behind, t);
    return;
  }
  json::object event{{"event", "exit"}, {"rank", end.rank}};
  if (!end.reason) {
    event["failure"] = end.failure;
  } else if (end.reason->signal != 0) {
    event["signal"] = end.reason->signal;
    if (end.reason->core_dumped) event["core_dumped"] = true;
  } else if (end.reason->kind == StopReason::Kind::kStopped ||
             end.reason->kind == StopReason::Kind::kExited) {
    event["code"] = end.reason->code;
  } else {
    event["failure"] = end.reason->text();
  }
  if (end.reason && !end.reason->left_behind.empty()) {
    json::array killed;
    for (const std::string& name : end.reason->left_behind) killed.emplace_back(name);
    event["killed"] = std::move(killed);
  }
  write(STDOUT_FILENO, as_line(event, {{"t", t}}));
}

void Printer::left_behind(std::optional<Rank> rank, const std::vector<std::string>& names, double t) {
  if (names.empty()) return;
  if (format_ == Format::kJson) {
    json::object event{{"event", "left_behind"}};
    if (rank) event["rank"] = *rank;
    json::array list;
    for (const std::string& name : names) list.emplace_back(name);
    event["killed"] = std::move(list);
    return write(STDOUT_FILENO, as_line(event, {{"t", t}}));
  }
  std::string text = rank ? "rank " + std::to_string(*rank) + ": " : "";
  text += std::to_string(names.size()) + (names.size() == 1 ? " process" : " processes") +
          " that the command had left running " + (names.size() == 1 ? "was" : "were") + " killed (";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : ", ") + printable(names[i]);
  note(text + ")");
}

void Printer::end(int status, const Times& times) {
  lines_.end_all();
  if (format_ == Format::kJson) {
    write(STDOUT_FILENO, as_line({{"event", "end"}, {"status", status}}, {{"wall_s", times.wall_s},
                                                                          {"allocate_s", times.allocate_s},
                                                                          {"spawn_s", times.spawn_s},
                                                                          {"run_s", times.run_s},
                                                                          {"shutdown_s", times.shutdown_s}}));
  }
  flush();
}

void Printer::complain(const Error& error) {
  note(error.text());
}

void Printer::note(const std::string& text) {
  const int fd = target(STDERR_FILENO);
  write(fd, std::string((fd == STDOUT_FILENO ? out_ : err_).close()) + "hostmesh: " + text + "\n");
  flush();
}

void Printer::flush() {
  for (auto& [fd, buffer] : buffers_) write_all(fd, std::exchange(buffer, {}));
}

void Printer::write(int fd, std::string_view text) {
  std::string& buffer = buffers_[fd];
  buffer += text;
  if (buffer.size() >= kBuffer) write_all(fd, std::exchange(buffer, {}));
}

void Printer::write_all(int fd, std::string_view text) {
  if (gone_.contains(fd)) return;
  struct stat about {};
  const bool regular = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
  while (!text.empty()) {
    if (!regular && !await_reader(fd)) return;
    const ssize_t written =
        ::write(fd, text.data(), regular ? text.size() : std::min(text.size(), kPipeChunk));
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      const int error = errno;
      gone_.insert(fd);
      // A reader that goes away says enough by that; a full disk does not.
      if (error != EPIPE)
        complain(os_error(Cause::kIo, fd == STDOUT_FILENO ? "write to stdout" : "write to stderr", error));
      return;
    }
  }
}

// Waits until something can be written. When that will not be, the descriptor is among those that are gone,
// so that nothing follows a piece that was cut.
bool Printer::await_reader(int fd) {
  using std::chrono::steady_clock;
  constexpr std::chrono::seconds kBound{1};
  constexpr int kLookAgain_ms = 50;
  std::optional<steady_clock::time_point> since;
  for (;;) {
    const Patience patience = patience_();
    pollfd waiting[2]{{.fd = fd, .events = POLLOUT, .revents = 0},
                      {.fd = cancel_fd_, .events = POLLIN, .revents = 0}};
    const bool endless = patience == Patience::kEndless;
    ::poll(waiting, endless ? 2 : 1, endless ? -1 : patience == Patience::kBounded ? kLookAgain_ms : 0);
    if ((waiting[0].revents & POLLOUT) != 0) return true;
    const bool is_gone = (waiting[0].revents & (POLLERR | POLLNVAL | POLLHUP)) != 0;
    if (!is_gone && endless) continue;
    if (!since) since = steady_clock::now();
    if (!is_gone && patience == Patience::kBounded && steady_clock::now() - *since < kBound) continue;
    gone_.insert(fd);
    if (!is_gone && fd == STDOUT_FILENO) note("output is lost: its reader did not take it in time");
    return false;
  }
}

}  // namespace hostmesh::cli
