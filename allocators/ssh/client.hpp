// Client: the words that start an ssh client, up to the host.
//
// The user's ssh configuration says how a host is reached: names, ports, users, keys, jump hosts, algorithms.
// It must not say what a session is: a command with stdin and stdout, in the foreground, without a terminal.
// For a client the first value of an option counts, so ours stand on the command line.
//
// A value; pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace hostmesh_ssh {

// The client asks a silent daemon for a sign of life after each interval, and gives it up after so many of
// them. Until the login is through it waits as long as both together, and asks nothing.
struct KeepAlive {
  std::chrono::seconds interval{};  // 0: it never asks, and never gives up
  std::int64_t count = 0;

  bool operator==(const KeepAlive&) const = default;
};

// A login may pause for `connect_timeout`. A connection may be silent for `heartbeat_timeout`, because the
// client's heartbeats are what finds it dead; 0 is for ever.
KeepAlive keep_alive_for(std::chrono::nanoseconds connect_timeout,
                         std::chrono::nanoseconds heartbeat_timeout);
// As attributes are written: "1m30s". Anything else, and null, is `otherwise`.
std::chrono::nanoseconds duration_or(const char* text, std::chrono::nanoseconds otherwise);

// Whether a client has said that it does not know an option of its command line.
bool tells_unknown_option(std::string_view last_lines);

class Client {
 public:
  struct Settings {
    std::string program;
    std::string config_file;           // empty: the client's usual one
    std::vector<std::string> options;  // the user's, as after -o
    std::string strict_host_keys;      // the value of StrictHostKeyChecking
    std::chrono::seconds connect_timeout{};
    KeepAlive keep_alive;
    std::string control_path;  // empty: launches share no connection
  };
  explicit Client(const Settings& settings);

  std::vector<std::string> words() const;

  // A client may be too old for an option of ours that keeps the user's configuration in bounds. It cannot be
  // configured with that option either, so the option is left out from then on. True when `last_lines`, the
  // client's, tell of such an option.
  bool leave_out_unknown(std::string_view last_lines);
  // How many have been left out.
  std::size_t left_out() const { return left_out_; }

 private:
  struct Option {
    std::string text;
    bool may_be_unknown = false;
    bool is_left_out = false;
  };
  std::vector<std::string> program_;
  std::vector<Option> options_;
  std::size_t left_out_ = 0;
};

}  // namespace hostmesh_ssh
