#include "system/network.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <fstream>
#include <stdexcept>

namespace hostmesh::test {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSwitch = "switch";
constexpr const char* kAddressHere = "10.77.0.1";

// Says "here" in the node's own spaces and becomes its ssh daemon, which is the first process there: with it
// all others end. $1 name, $2 the programs, $3 the folder with keys and configuration. What is bound again
// may lie below /tmp, where everything else is the node's own.
constexpr const char* kMachine = R"(
set -e
hostname "$1"
mount -t tmpfs run /run
mkdir /run/sshd /run/programs /run/folder
mount --bind "$2" /run/programs
mount --bind "$3" /run/folder
mount -t tmpfs tmp /tmp
mkdir -p "$2" "$3"
mount --bind /run/programs "$2"
mount --bind /run/folder "$3"
for file in .bashrc .profile .bash_profile .cshrc .tcshrc; do
  [ ! -f "$4/$file" ] || mount --bind /dev/null "$4/$file"
done
ip link set lo up
# Nobody reads this any more: the test ended before the kernel was told to end us with it.
echo here || exit 1
exec /usr/sbin/sshd -D -e -f "$3/$1.sshd"
)";

// One end of the cable becomes the node's only device. $1 the node's process, $2 its address, $3 the end
// here.
constexpr const char* kCable = R"(
set -e
ip link add "$3" type veth peer name eth0 netns "$1"
ip link set "$3" master switch
ip link set "$3" up
nsenter -t "$1" -n ip address add "$2/24" dev eth0
nsenter -t "$1" -n ip link set eth0 up
)";

constexpr const char* kTrial = R"(
set -e
ip link add switch type bridge
ip link add cable type veth peer name eth0
nft add table inet trial
nft add chain inet trial in '{ type filter hook input priority 0; }'
nft add rule inet trial in numgen random mod 100 '<' 5 drop
mount -t tmpfs tmp /tmp
)";

constexpr const char* kLose = R"(
set -e
nft add table inet lossy
nft flush table inet lossy
nft add chain inet lossy in '{ type filter hook input priority 0; }'
nft add rule inet lossy in iifname != lo numgen random mod 100 '<=' $(($1 - 1)) drop
)";

std::vector<std::string> script(const char* text, std::vector<std::string> arguments) {
  std::vector<std::string> argv{"sh", "-c", text, "sh"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

// What it said on stdout.
std::string must(const std::string& what, const std::vector<std::string>& argv) {
  Running running({.argv = argv});
  if (!running.finish() || running.status() != 0)
    throw std::runtime_error(what + ": status " + std::to_string(running.status()) + ": " + running.err());
  return running.out();
}

std::vector<std::string> in_network_of(pid_t pid, std::vector<std::string> argv) {
  argv.insert(argv.begin(), {"nsenter", "-t", std::to_string(pid), "-n"});
  return argv;
}

std::string space_of(pid_t pid) {
  std::error_code gone;
  return fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/pid", gone).string();
}

fs::path own_folder() {
  std::string folder = (fs::temp_directory_path() / "hostmesh_network.XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no folder for the network");
  return folder;
}

void make_key(const fs::path& file) {
  must("ssh-keygen", {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file.string()});
}

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

pid_t only_child_of(pid_t pid) {
  const std::string task = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children";
  return static_cast<pid_t>(std::strtol(first_line(task).c_str(), nullptr, 10));
}

}  // namespace

Node::Node(std::size_t number, const fs::path& folder, const fs::path& programs)
    : name_("node" + std::to_string(number)),
      address_("10.77.0." + std::to_string(10 + number)),
      cable_("cable" + std::to_string(number)) {
  make_key(folder / (name_ + ".key"));
  std::ofstream(folder / (name_ + ".sshd"))
      << "Port 22\nListenAddress 0.0.0.0\nHostKey " << (folder / (name_ + ".key")).string()
      << "\nPidFile none\nAuthorizedKeysFile " << (folder / "key.pub").string()
      << "\nStrictModes no\nUsePAM no\nUseDNS no\nPasswordAuthentication no\n"
      << "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nPrintMotd no\n";

  // Ends when the test does, and takes its child, the node's first process, with it.
  std::vector<std::string> argv{"setpriv", "--pdeathsig", "KILL",   "unshare",      "--net",       "--uts",
                                "--mount", "--pid",       "--fork", "--kill-child", "--mount-proc"};
  const std::vector<std::string> machine =
      script(kMachine, {name_, programs.string(), folder.string(), ::getpwuid(::geteuid())->pw_dir});
  argv.insert(argv.end(), machine.begin(), machine.end());
  machine_ = std::make_unique<Running>(StartOptions{.argv = argv});
  const auto listens = [this] { return machine_->err().find("Server listening on") != std::string::npos; };
  if (!machine_->read_until(listens)) throw std::runtime_error(name_ + ": " + machine_->err());
  daemon_ = only_child_of(machine_->pid());
  must(name_, script(kCable, {std::to_string(daemon_), address_, cable_}));
}

Node::~Node() {
  if (daemon_ != 0) ::kill(daemon_, SIGKILL);
  (void)machine_->finish();
}

std::vector<pid_t> Node::all_processes() const {
  const std::string ours = space_of(daemon_);
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string text = entry.path().filename().string();
    pid_t pid = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (bad == std::errc() && end == text.data() + text.size() && space_of(pid) == ours) found.push_back(pid);
  }
  return found;
}

std::vector<pid_t> Node::processes(const std::string& program) const {
  std::vector<pid_t> found;
  for (const pid_t pid : all_processes()) {
    const std::string command = command_line_of(pid);
    const std::string first = command.substr(0, command.find(' '));
    if (first == program || first.ends_with("/" + program)) found.push_back(pid);
  }
  return found;
}

std::vector<pid_t> Node::sessions() const {
  std::vector<pid_t> found = processes("sshd:");
  std::erase(found, daemon_);
  return found;
}

void Node::unplug() {
  must(name_, {"ip", "link", "set", cable_, "down"});
}

void Node::plug_in() {
  must(name_, {"ip", "link", "set", cable_, "up"});
}

void Node::lose(int percent) {
  must(name_, in_network_of(daemon_, script(kLose, {std::to_string(percent)})));
}

void Node::signal_all(int number) {
  for (const pid_t pid : all_processes()) ::kill(pid, number);
}

void Node::freeze() {
  signal_all(SIGSTOP);
}

void Node::thaw() {
  signal_all(SIGCONT);
}

std::string Network::missing() {
  const auto wanted = [](const std::string& why) {
    // For machines where these tests are to be run, and not to be passed over in silence.
    if (std::getenv("HOSTMESH_TEST_NETWORK") != nullptr) throw std::runtime_error(why);
    return why;
  };
  if (::geteuid() != 0) return wanted("networks of its own: only for root");
  for (const char* program : {"/usr/sbin/sshd", "/usr/bin/ssh", "/usr/sbin/ip", "/usr/sbin/nft"}) {
    if (::access(program, X_OK) != 0) return wanted(std::string(program) + " is not installed");
  }
  std::vector<std::string> argv{"unshare", "--net",  "--uts",        "--mount",
                                "--pid",   "--fork", "--kill-child", "--mount-proc"};
  const std::vector<std::string> trial = script(kTrial, {});
  argv.insert(argv.end(), trial.begin(), trial.end());
  Running running({.argv = argv});
  if (running.finish() && running.status() == 0) return "";
  return wanted("networks of its own cannot be made here: " + running.err());
}

Network::Network(std::size_t nodes, const fs::path& programs)
    : folder_(own_folder()), outside_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  if (!outside_ || ::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("no network of the test's own");
  try {
    for (const char* key : {"key", "stranger"}) make_key(folder_ / key);
    must("switch", script(R"(set -e
      ip link set lo up
      ip link add "$1" type bridge
      ip address add "$2/24" dev "$1"
      ip link set "$1" up)",
                          {kSwitch, kAddressHere}));
    std::ofstream known(file("known_hosts"));
    std::ofstream config(client_config());
    for (std::size_t number = 1; number <= nodes; ++number) {
      const Node& node = *nodes_.emplace_back(std::make_unique<Node>(number, folder_, programs));
      known << node.address() << " " << first_line(file(node.name() + ".key.pub")) << "\n";
      config << "Host " << node.name() << "\n  HostName " << node.address() << "\n";
    }
    config << "Host *\n  User root\n  IdentityFile " << file("key").string()
           << "\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile "
           << file("known_hosts").string() << "\n  GlobalKnownHostsFile /dev/null\n";
  } catch (...) {
    leave();
    throw;
  }
}

Network::~Network() {
  leave();
}

void Network::leave() {
  nodes_.clear();
  if (::setns(outside_.get(), CLONE_NEWNET) != 0) std::abort();  // every later test would be in no network
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void Network::lose(int percent) {
  must("loss", script(kLose, {std::to_string(percent)}));
  for (const auto& node : nodes_) node->lose(percent);
}

}  // namespace hostmesh::test
