// Group secure: secrets go where they belong, and nobody gets in without one.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/fleet.hpp"
#include "hostmesh/conformance/probe.hpp"
#include "hostmesh/process/descendants.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kPayload = "abi.h, hostmesh_launch::stdin_payload";
// How much of a folder tree is looked through.
constexpr std::size_t kMostEntries = 10'000;
constexpr int kDeepest = 3;
constexpr std::uintmax_t kBiggestFile = 1 << 20;

// One for each case, because others may look for theirs on the same machine.
std::string new_secret() {
  std::array<std::uint8_t, 16> bytes{};
  if (::getentropy(bytes.data(), bytes.size()) != 0) throw os_error(Cause::kIo, "get random bytes", errno);
  std::string secret = "conformance-secret-";
  for (const std::uint8_t byte : bytes) secret += static_cast<char>('a' + byte % 26);
  return secret;
}

LaunchRequest with_secret(Stage& stage, const std::string& secret) {
  LaunchRequest request = stage.payload({"until-stdin-ends", "0"});
  request.stdin_payload = Bytes(secret.begin(), secret.end());
  return request;
}

// Looks for a secret in every form in which a program might hand it on.
class Search {
 public:
  explicit Search(const std::string& secret) {
    forms_.emplace_back("as it is", secret);
    for (const bool upper : {false, true}) {
      forms_.emplace_back("in hex", each_byte(secret, "", upper));
      forms_.emplace_back("percent-encoded", each_byte(secret, "%", upper));
      forms_.emplace_back("as escapes", each_byte(secret, "\\x", upper));
    }
    // What of it does not depend on where it begins in what was encoded.
    for (const std::size_t offset : {0, 1, 2}) {
      const std::string whole = base64(std::string(offset, ' ') + secret);
      const std::size_t first = offset == 0 ? 0 : 4;
      forms_.emplace_back("in base64", whole.substr(first, whole.size() / 4 * 4 - 4 - first));
    }
    forms_.emplace_back("backwards", std::string(secret.rbegin(), secret.rend()));
  }

  // In which form it is in there; empty when it is not.
  std::string found_in(std::string_view text) const {
    for (const auto& [name, form] : forms_) {
      if (text.find(form) != std::string_view::npos) return name;
    }
    return {};
  }

 private:
  static std::string each_byte(const std::string& text, const std::string& before, bool upper) {
    const char* const digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    std::string out;
    for (const char each : text) {
      const auto byte = static_cast<unsigned char>(each);
      out += before;
      out += {digits[byte >> 4], digits[byte & 15]};
    }
    return out;
  }
  // The alphabet for URLs has other signs only for what is no letter: the secret has none in common.
  static std::string base64(const std::string& text) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char each : text) {
      bits = bits << 8 | static_cast<unsigned char>(each);
      for (count += 8; count >= 6; count -= 6) out += kDigits[bits >> (count - 6) & 63];
    }
    return out;
  }

  std::vector<std::pair<std::string, std::string>> forms_;
};

void not_on_show(Stage& stage) {
  const std::string secret = new_secret();
  const Search search(secret);
  Probe probe(stage);
  const LaunchId launch = probe.launch_ready(with_secret(stage, secret));

  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", failure)) {
    const std::string name = entry.path().filename().string();
    if (std::isdigit(static_cast<unsigned char>(name.front())) == 0) continue;
    for (const char* file : {"cmdline", "environ"}) {
      const std::string form = search.found_in(read_proc_file("/proc/" + name + "/" + file).value_or(""));
      stage.expect(form.empty(), "what goes to a launch's stdin is in no command line and no environment",
                   "it is in the " + std::string(file) + " of pid " + name + ", " + form);
    }
  }
  probe.close_stdin(launch);
  probe.await_end(launch);
}

// Where programs put files without being told to.
std::set<std::filesystem::path> usual_folders() {
  std::set<std::filesystem::path> folders = {"/tmp",      "/var/tmp", "/dev/shm",
                                             "/run/user", "/",        std::filesystem::current_path()};
  for (const char* name :
       {"TMPDIR", "TMP", "TEMP", "HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_STATE_HOME"}) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') folders.emplace(value);
  }
  return folders;
}

bool is_since(const timespec& time, const timespec& since) {
  return time.tv_sec > since.tv_sec || (time.tv_sec == since.tv_sec && time.tv_nsec >= since.tv_nsec);
}

void look_into(Stage& stage, const Search& search, const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::string form = search.found_in(text);
  stage.expect(form.empty(), "what goes to a launch's stdin is in no file",
               "it is in " + path.string() + ", " + form);
}

// The files in there that have changed since; those that are near first, as a folder may have very much in
// it.
void look_through(Stage& stage, const Search& search, const std::filesystem::path& top,
                  const timespec& since) {
  std::deque<std::pair<std::filesystem::path, int>> folders = {{top, 0}};
  std::size_t seen = 0;
  for (; !folders.empty(); folders.pop_front()) {
    const auto [folder, depth] = folders.front();
    std::error_code failure;
    std::filesystem::directory_iterator entry(folder, failure);
    for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
      if (++seen > kMostEntries) return stage.note(top.string() + " has too much in it to look at all of it");
      struct stat about {};
      if (::lstat(entry->path().c_str(), &about) != 0) continue;
      if (S_ISDIR(about.st_mode) && depth < kDeepest && top != "/")
        folders.emplace_back(entry->path(), depth + 1);
      const bool small = static_cast<std::uintmax_t>(about.st_size) <= kBiggestFile;
      if (S_ISREG(about.st_mode) && small && is_since(about.st_ctim, since)) {
        look_into(stage, search, entry->path());
      }
    }
  }
}

void not_in_files(Stage& stage) {
  const std::string secret = new_secret();
  const Search search(secret);
  // The clock that stamps files, which is behind the other by up to a tick.
  timespec since{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &since);
  const auto look = [&] {
    for (const auto& folder : usual_folders()) look_through(stage, search, folder, since);
  };
  Probe probe(stage);
  const LaunchId launch = probe.launch_ready(with_secret(stage, secret));
  look();
  probe.close_stdin(launch);
  probe.await_end(launch);
  probe.destroy();
  look();
}

// What is written to this process's stderr meanwhile; it is passed on afterwards.
class Stderr {
 public:
  Stderr()
      : former_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)), kept_(::memfd_create("stderr", MFD_CLOEXEC)) {
    ::dup2(kept_.get(), STDERR_FILENO);
  }
  ~Stderr() { restore(); }
  std::string restore() {
    if (!former_) return {};
    ::dup2(former_.get(), STDERR_FILENO);
    std::string text(static_cast<std::size_t>(::lseek(kept_.get(), 0, SEEK_END)), '\0');
    if (::pread(kept_.get(), text.data(), text.size(), 0) < 0) text.clear();
    if (::write(former_.get(), text.data(), text.size()) < 0) text += "?";
    former_.reset();
    return text;
  }

 private:
  UniqueFd former_;
  UniqueFd kept_;
};

void not_in_the_log(Stage& stage) {
  ::setenv("HOSTMESH_LOG", "debug", 1);
  const std::string secret = new_secret();
  const Search search(secret);
  Stderr log;
  {
    Probe probe(stage);
    const LaunchId launch = probe.launch_ready(with_secret(stage, secret));
    probe.close_stdin(launch);
    probe.await_end(launch);
  }
  {
    Probe probe(stage);
    LaunchRequest missing = with_secret(stage, secret);
    missing.argv = {"/nonexistent/hostmesh-conformance"};
    const Seen failed = probe.await_end(probe.launch(std::move(missing)));
    stage.expect(search.found_in(failed.text()).empty(), "what goes to a launch's stdin is in no error",
                 failed.text());
  }
  const std::string text = log.restore();
  stage.expect(search.found_in(text).empty(), "what goes to a launch's stdin is not logged", text);
}

void wrong_secret(Stage& stage, const std::string& misdeed) {
  Fleet fleet(stage);
  auto good = fleet.allocate({.extent = {{"x", 1}}});
  good.await_running();
  auto bad = fleet.allocate({.extent = {{"x", 2}}}, fleet.child({"child", misdeed}));

  bad.await_end();

  stage.equal("the number of procs that got in", bad.of<ProcRunning>().size(), 0U);
  expect_complete(stage, bad.states());
  const auto news = good.alloc().next(stage.within(std::chrono::milliseconds(100)));
  stage.expect(!news, "those that are in already are not disturbed", "their stream said something");
  good.alloc().stop();
  good.await_end();
}

void wrong_key(Stage& stage) {
  wrong_secret(stage, "wrong_secret");
}
void wrong_rank(Stage& stage) {
  wrong_secret(stage, "wrong_rank");
}

}  // namespace

const std::vector<Case>& secure_cases() {
  const Needs fed = needs::kProcesses | needs::kLifeline | needs::kOutput;
  const std::string_view base = "order.every-launch-ends";
  static const std::vector<Case> cases = {
      {.id = "secure.payload-not-on-show",
       .sentence = "What goes to a launch's stdin is in no command line and no environment, in no encoding.",
       .needs = fed | needs::kSameMachine,
       .rule = kPayload,
       .run = not_on_show,
       .builds_on = base},
      {.id = "secure.payload-not-in-files",
       .sentence = "What goes to a launch's stdin is in no file, neither while it runs nor afterwards.",
       .needs = fed | needs::kSameMachine,
       .rule = kPayload,
       .run = not_in_files,
       .builds_on = base},
      {.id = "secure.payload-not-logged",
       .sentence = "What goes to a launch's stdin is neither logged nor in an error.",
       .needs = fed,
       .rule = kPayload,
       .run = not_in_the_log,
       .builds_on = base},
      {.id = "secure.wrong-secret",
       .sentence = "A child with the wrong secret does not get in, and disturbs nobody.",
       .needs = needs::kProcesses,
       .rule = "the bootstrap protocol",
       .run = wrong_key,
       .builds_on = base},
      {.id = "secure.wrong-rank",
       .sentence = "A child that claims to be another rank does not get in, and disturbs nobody.",
       .needs = needs::kProcesses,
       .rule = "the bootstrap protocol",
       .run = wrong_rank,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
