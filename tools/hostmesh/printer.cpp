#include "printer.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <utility>

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

// The one place where an event becomes text.
std::string as_line(json::value event) {
  make_valid(event);
  return json::serialize(event) + "\n";
}

}  // namespace

Printer::Printer(Format format, Labels labels, std::function<bool()> cancelled, int cancel_fd)
    : format_(format), labels_(labels), cancelled_(std::move(cancelled)), cancel_fd_(cancel_fd) {}

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
  event["t"] = t;
  write(STDOUT_FILENO, as_line(std::move(event)));
}

void Printer::proc(const ProcChange& change, const ProcId& id, double t) {
  if (format_ != Format::kJson) return;
  write(STDOUT_FILENO, as_line({{"event", "proc"},
                                {"rank", change.rank},
                                {"proc_id", id.text()},
                                {"pid", change.pid},
                                {"status", change.status.text()},
                                {"t", t}}));
}

void Printer::output(const ProcOutput& output, double t) {
  Splitters& splitters = splitters_[output.rank];
  const auto sink = [&](ProcOutput::What stream) {
    return [this, rank = output.rank, stream](const Line& piece) { line(rank, stream, piece); };
  };
  switch (output.what) {
    case ProcOutput::What::kStdout:
      splitters.out.feed(output.bytes, sink(output.what));
      break;
    case ProcOutput::What::kStderr:
      splitters.err.feed(output.bytes, sink(output.what));
      break;
    case ProcOutput::What::kEnd:
      splitters.out.finish(sink(ProcOutput::What::kStdout));
      splitters.err.finish(sink(ProcOutput::What::kStderr));
      splitters_.erase(output.rank);
      exit(output, t);
      break;
  }
}

void Printer::line(Rank rank, ProcOutput::What stream, const Line& line) {
  const bool to_stdout = stream == ProcOutput::What::kStdout;
  if (format_ == Format::kJson) {
    json::object event{{"event", "output"},
                       {"rank", rank},
                       {"stream", to_stdout ? "stdout" : "stderr"},
                       {"line", line.text}};
    if (line.continued) event["continued"] = true;
    write(STDOUT_FILENO, as_line(std::move(event)));
    return;
  }
  const int fd = to_stdout ? STDOUT_FILENO : STDERR_FILENO;
  Open& open = open_[fd];
  std::string text;
  const bool goes_on = open.open && open.rank == rank;
  if (open.open && !goes_on)
    text += '\n';  // a long line of another rank is broken rather than mixed with this one
  if (!goes_on && labels_ == Labels::kRank) text += "[" + std::to_string(rank) + "] ";
  text += line.text;
  if (!line.continued) text += '\n';
  open = {.open = line.continued, .rank = rank};
  write(fd, text);
}

void Printer::exit(const ProcOutput& end, double t) {
  if (format_ != Format::kJson) return;
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
  event["t"] = t;
  write(STDOUT_FILENO, as_line(std::move(event)));
}

void Printer::end(int status, const Times& times) {
  if (format_ == Format::kJson) {
    write(STDOUT_FILENO, as_line({{"event", "end"},
                                  {"status", status},
                                  {"wall_s", times.wall_s},
                                  {"allocate_s", times.allocate_s},
                                  {"spawn_s", times.spawn_s},
                                  {"run_s", times.run_s},
                                  {"shutdown_s", times.shutdown_s}}));
  }
  flush();
}

void Printer::complain(const Error& error) {
  Open& open = open_[STDERR_FILENO];
  write(STDERR_FILENO,
        (std::exchange(open.open, false) ? "\nhostmesh: " : "hostmesh: ") + error.text() + "\n");
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
    if (!regular) {
      pollfd waiting[2]{{.fd = fd, .events = POLLOUT, .revents = 0},
                        {.fd = cancel_fd_, .events = POLLIN, .revents = 0}};
      if (::poll(waiting, cancelled_() ? 1 : 2, cancelled_() ? 0 : -1) <= 0 ||
          (waiting[0].revents & POLLOUT) == 0) {
        if ((waiting[0].revents & (POLLERR | POLLNVAL | POLLHUP)) != 0) {
          gone_.insert(fd);
          return;
        }
        if (cancelled_()) return;  // the reader does not read, and we are told to go
        continue;
      }
    }
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

}  // namespace hostmesh::cli
