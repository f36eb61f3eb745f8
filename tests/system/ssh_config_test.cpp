// The allocator ssh and the user's ssh configuration, keyword by keyword: it says how a host is reached, and
// not what a session is.
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>

#include "system/ssh_fixture.hpp"

namespace hostmesh::test {
namespace {

enum class Whose : std::uint8_t {
  kOurs,        // has no effect
  kOursAsItIs,  // the same, with the value that it has without a configuration
  kUsers,       // is the user's, and changes nothing of a session
  // The user's, too; its value here would lead elsewhere, or to no login at all.
  kLeadsElsewhere,
};

struct Keyword {
  const char* name;
  const char* value;
  Whose whose = Whose::kUsers;
};

// All of ssh_config(5), but for Host, Match, Include and IgnoreUnknown, which have no value of their own.
constexpr Keyword kKeywords[] = {
    {"AddKeysToAgent", "yes"},
    {"AddressFamily", "inet"},
    {"BatchMode", "no", Whose::kOursAsItIs},
    {"BindAddress", "127.0.0.1"},
    {"BindInterface", "lo", Whose::kLeadsElsewhere},
    {"CanonicalDomains", "example.invalid"},
    {"CanonicalizeFallbackLocal", "no"},
    {"CanonicalizeHostname", "yes"},
    {"CanonicalizeMaxDots", "3"},
    {"CanonicalizePermittedCNAMEs", "*.a.invalid:*.b.invalid"},
    {"CASignatureAlgorithms", "ssh-ed25519"},
    {"CertificateFile", "/dev/null"},
    {"CheckHostIP", "yes"},
    {"Ciphers", "aes128-ctr"},
    {"ClearAllForwardings", "no", Whose::kOursAsItIs},
    {"Compression", "yes"},
    {"ConnectionAttempts", "5", Whose::kOurs},
    {"ConnectTimeout", "77", Whose::kOurs},
    {"ControlMaster", "yes", Whose::kOurs},
    {"ControlPath", "/nowhere/%C", Whose::kOurs},
    {"ControlPersist", "yes"},  // nothing without ControlMaster
    {"DynamicForward", "1", Whose::kOurs},
    {"EnableEscapeCommandline", "yes"},  // nothing without EscapeChar
    {"EnableSSHKeysign", "yes"},
    {"EscapeChar", "H", Whose::kOurs},
    {"ExitOnForwardFailure", "yes"},  // nothing without forwardings
    {"FingerprintHash", "md5"},
    {"ForkAfterAuthentication", "yes", Whose::kOurs},
    {"ForwardAgent", "yes"},
    {"ForwardX11", "yes", Whose::kOurs},
    {"ForwardX11Timeout", "5"},
    {"ForwardX11Trusted", "yes"},
    {"GatewayPorts", "yes"},
    {"GlobalKnownHostsFile", "/nowhere"},
    {"GSSAPIAuthentication", "yes"},
    {"GSSAPIClientIdentity", "nobody"},
    {"GSSAPIDelegateCredentials", "yes"},
    {"GSSAPIKexAlgorithms", "gss-group14-sha256-"},
    {"GSSAPIKeyExchange", "yes"},
    {"GSSAPIRenewalForcesRekey", "yes"},
    {"GSSAPIServerIdentity", "nowhere"},
    {"GSSAPITrustDns", "yes"},
    {"HashKnownHosts", "yes"},
    {"HostbasedAcceptedAlgorithms", "ssh-ed25519"},
    {"HostbasedAuthentication", "yes"},
    {"HostKeyAlgorithms", "ssh-ed25519"},
    {"HostKeyAlias", "another", Whose::kLeadsElsewhere},
    {"Hostname", "127.0.0.2", Whose::kLeadsElsewhere},
    {"IdentitiesOnly", "no"},
    {"IdentityAgent", "none"},
    {"IdentityFile", "/nowhere/key"},
    {"IPQoS", "none"},
    {"KbdInteractiveAuthentication", "yes"},
    {"KbdInteractiveDevices", "pam"},
    {"KexAlgorithms", "curve25519-sha256"},
    {"KnownHostsCommand", "/bin/true"},
    {"LocalCommand", "touch here"},  // nothing without PermitLocalCommand
    {"LocalForward", "1 localhost:1", Whose::kOurs},
    {"LogLevel", "QUIET", Whose::kOurs},
    {"LogVerbose", "kex.c:*:1000"},
    {"MACs", "hmac-sha2-256"},
    {"NoHostAuthenticationForLocalhost", "no"},
    {"NumberOfPasswordPrompts", "1"},
    {"PasswordAuthentication", "yes"},
    {"PermitLocalCommand", "yes", Whose::kOurs},
    {"PermitRemoteOpen", "none"},
    {"PKCS11Provider", "/nowhere", Whose::kLeadsElsewhere},
    {"Port", "1", Whose::kLeadsElsewhere},
    {"PreferredAuthentications", "publickey,keyboard-interactive"},
    {"ProxyCommand", "/nowhere", Whose::kLeadsElsewhere},
    {"ProxyJump", "jump", Whose::kLeadsElsewhere},
    {"ProxyUseFdpass", "yes"},  // nothing without ProxyCommand
    {"PubkeyAcceptedAlgorithms", "ssh-ed25519"},
    {"PubkeyAuthentication", "unbound"},
    {"RekeyLimit", "64K 5s"},
    {"RemoteCommand", "echo another", Whose::kOurs},
    {"RemoteForward", "1 localhost:1", Whose::kOurs},
    {"RequestTTY", "force", Whose::kOurs},
    {"RequiredRSASize", "2048"},
    {"RevokedHostKeys", "/nowhere", Whose::kLeadsElsewhere},
    {"SecurityKeyProvider", "/nowhere"},
    {"SendEnv", "LC_*"},
    {"ServerAliveCountMax", "1", Whose::kOurs},
    {"ServerAliveInterval", "1", Whose::kOurs},
    {"SessionType", "none", Whose::kOurs},
    {"SetEnv", "SOMETHING=else"},
    {"StdinNull", "yes", Whose::kOurs},
    {"StreamLocalBindMask", "0000"},
    {"StreamLocalBindUnlink", "yes"},
    {"StrictHostKeyChecking", "no", Whose::kOurs},
    {"SyslogFacility", "AUTH"},
    {"TCPKeepAlive", "no"},
    {"Tunnel", "yes", Whose::kOurs},
    {"TunnelDevice", "7:7"},  // nothing without Tunnel
    {"UpdateHostKeys", "ask"},
    {"User", "somebody", Whose::kLeadsElsewhere},
    {"UserKnownHostsFile", "/nowhere", Whose::kLeadsElsewhere},
    {"VerifyHostKeyDNS", "yes"},
    {"VisualHostKey", "yes", Whose::kOurs},
    {"XAuthLocation", "/nowhere"},
};

bool is_ours(const Keyword& keyword) {
  return keyword.whose == Whose::kOurs || keyword.whose == Whose::kOursAsItIs;
}

std::string line_of(const Keyword& keyword) {
  return std::string(keyword.name) + " " + keyword.value + "\n";
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

class SshConfig : public Ssh {
 protected:
  // A configuration that begins with these lines; then comes what leads to the daemon.
  std::filesystem::path config_with(const std::string& lines) {
    return write_file("ssh_config", "Host node*\n" + lines + "Match all\nInclude " +
                                        sshd_->client_config().string() + "\n");
  }
  void run_with(const std::string& lines) {
    configure("ssh_config: " + config_with(lines).string());
    Running hostmesh(run_script({"--extent", "hosts=2"}, "echo here is $HOSTMESH_RANK"));
    ASSERT_TRUE(hostmesh.finish());
    EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
    EXPECT_EQ(sorted_lines_of(hostmesh.out()), (std::vector<std::string>{"[0] here is 0", "[1] here is 1"}));
  }
  // Has ssh_config set itself.
  void configure(const std::string& options) {
    write_file("plugins.yaml", "plugin_path: [" +
                                   (bin("..") / "lib/hostmesh/plugins").lexically_normal().string() +
                                   "]\ndefault: lab\nallocators:\n  lab: {plugin: ssh, options: {hosts: "
                                   "['node[1-2]'], remote_command: " +
                                   bin("hostmesh-bootstrap").string() + ", " + options + "}}\n");
  }
  // The words that our client is started with, up to the host.
  std::vector<std::string> words_of_ours() {
    write_file("ssh", "#!/bin/sh\nprintf '%s\\n' \"$@\" >" + (folder() / "words").string() +
                          "\nexec /usr/bin/ssh \"$@\"\n");
    std::filesystem::permissions(folder() / "ssh", std::filesystem::perms::owner_all);
    configure("ssh: " + (folder() / "ssh").string() + ", ssh_config: " + config_with("").string());
    Running hostmesh(run({"--extent", "hosts=1"}, {"true"}));
    EXPECT_TRUE(hostmesh.finish());
    EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
    std::ifstream in(folder() / "words");
    std::vector<std::string> words;
    for (std::string word; std::getline(in, word) && word != "--";) words.push_back(word);
    return words;
  }
  // What an ssh client makes of its words and of a configuration that begins with these lines.
  std::string effective(std::vector<std::string> words, const std::string& lines) {
    words.insert(words.begin(), {"ssh", "-G"});
    words.insert(words.end(), {"-F", config_with(lines).string(), "--", "node1"});
    Running ssh({.argv = words});
    EXPECT_TRUE(ssh.finish());
    return ssh.status() == 0 ? ssh.out() : ssh.err();
  }
};

TEST_F(SshConfig, EachKeywordOfTheManualIsOursOrTheUsers) {
  start_lab();
  std::vector<std::string> ours = words_of_ours();
  ASSERT_FALSE(ours.empty());
  const auto file = std::ranges::find(ours, "-F");
  ASSERT_NE(file, ours.end());
  ours.erase(file, file + 2);
  const std::string with_ours = effective(ours, "");
  const std::string without = effective({}, "");

  for (const Keyword& keyword : kKeywords) {
    if (!is_ours(keyword)) continue;
    EXPECT_TRUE(effective(ours, line_of(keyword)) == with_ours) << line_of(keyword);
    const bool is_changed = effective({}, line_of(keyword)) != without;
    EXPECT_EQ(is_changed, keyword.whose == Whose::kOurs) << line_of(keyword);
  }
}

TEST_F(SshConfig, NoKeywordOfTheClientIsMissingInTheTable) {
  start_lab();
  std::set<std::string> known{"host"};
  for (const Keyword& keyword : kKeywords) known.insert(lower(keyword.name));

  for (const std::string& line : lines_of(effective({}, ""))) {
    const std::string name = lower(line.substr(0, line.find(' ')));
    EXPECT_TRUE(known.contains(name)) << name << ": whose is it, ours or the user's?";
  }
}

TEST_F(SshConfig, ASessionIsTheSameWhateverTheUsersConfigurationSays) {
  start_lab();
  std::string ours;
  std::string users;
  for (const Keyword& keyword : kKeywords) {
    if (is_ours(keyword)) ours += line_of(keyword);
    if (keyword.whose == Whose::kUsers) users += line_of(keyword);
  }

  run_with(ours);
  run_with(users);
}

// As OpenSSH 7.4 does, which is that of RHEL 7.
TEST_F(SshConfig, AClientThatIsTooOldForAnOptionOfOursDoesWithout) {
  start_lab();
  write_file(
      "ssh",
      "#!/bin/sh\nfor a; do case $a in RemoteCommand=* | SessionType=* | StdinNull=* | "
      "ForkAfterAuthentication=*)\necho \"command-line: line 0: Bad configuration option: $(echo ${a%%=*} "
      "| tr A-Z a-z)\" >&2; exit 255;; esac; done\nexec /usr/bin/ssh \"$@\"\n");
  std::filesystem::permissions(folder() / "ssh", std::filesystem::perms::owner_all);
  configure("retries: 0, ssh: " + (folder() / "ssh").string() + ", ssh_config: " + config_with("").string());

  Running hostmesh(run_script({"--extent", "hosts=2"}, "echo here is $HOSTMESH_RANK"));

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
}

}  // namespace
}  // namespace hostmesh::test
