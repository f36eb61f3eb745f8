#include "hostmesh/conformance/stage.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "payload/pattern.hpp"

namespace hostmesh::conformance {

namespace {

// Longer values are cut in the texts of failures.
constexpr std::size_t kMostShown = 400;

}  // namespace

Stage::Stage(const Case& which, Chosen chosen, double patience, Record record)
    : which_(which),
      chosen_(std::move(chosen)),
      patience_(patience),
      deadline_(Deadline::after(scaled(which.deadline), start_)),
      record_(std::move(record)) {}

const Subject& Stage::subject() {
  if (subject_.plugin) return subject_;
  auto plugin = Plugin::load(chosen_.file);
  if (!plugin) fail("the plugin can be loaded", plugin.error().text());
  auto options = value_or_throw(validate_options(chosen_.entry, (*plugin)->description()));
  subject_ = {chosen_, *std::move(plugin), std::move(options)};
  return subject_;
}

Deadline Stage::within(Duration usual) const {
  return Deadline::after(scaled(usual)).and_no_later_than(deadline_);
}

Duration Stage::scaled(Duration usual) const {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(usual) * patience_);
}

LaunchRequest Stage::payload(std::vector<std::string> scenario) const {
  LaunchRequest request;
  request.argv = {installed_program("libexec/hostmesh/hostmesh-payload").string()};
  request.environment = {"PATH=/usr/bin:/bin",
                         std::string(payload::kEnvScenario) + "=" + payload::text_of(scenario)};
  request.argv.insert(request.argv.end(), std::make_move_iterator(scenario.begin()),
                      std::make_move_iterator(scenario.end()));
  return request;
}

void Stage::note(const std::string& event) {
  const std::string line = printable(event);
  const std::lock_guard lock(mutex_);
  record_(Clock::now() - start_, line);
}

void Stage::fail(const std::string& expected, const std::string& seen) const {
  throw Failure{expected, seen};
}

void Stage::skip(const std::string& why) const {
  throw Skip{why};
}

std::string Stage::quoted(std::string_view text) {
  std::string shown = "\"" + printable(text.substr(0, kMostShown)) + "\"";
  if (text.size() > kMostShown) shown += "... (" + std::to_string(text.size()) + " bytes)";
  return shown;
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char each : text) {
    if (each == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(each) < ' ' || static_cast<unsigned char>(each) > '~') {
      constexpr char kDigits[] = "0123456789abcdef";
      out += {'\\', 'x', kDigits[static_cast<unsigned char>(each) >> 4], kDigits[each & 15]};
    } else {
      out += each;
    }
  }
  return out;
}

// From where this library is: lib/ or, when it is linked into a program, that program's folder.
std::filesystem::path installed_program(std::string_view path) {
  Dl_info here{};
  std::filesystem::path prefix;
  if (::dladdr(reinterpret_cast<void*>(&installed_program), &here) != 0 && here.dli_fname != nullptr) {
    std::error_code failure;
    auto file = std::filesystem::canonical(here.dli_fname, failure);
    if (failure) file = std::filesystem::read_symlink("/proc/self/exe", failure);
    prefix = file.parent_path().parent_path();
    // lib/x86_64-linux-gnu and the like.
    if (!std::filesystem::exists(prefix / path, failure)) {
      const auto above = prefix.parent_path();
      if (std::filesystem::exists(above / path, failure)) prefix = above;
    }
  }
  return prefix / path;
}

}  // namespace hostmesh::conformance
