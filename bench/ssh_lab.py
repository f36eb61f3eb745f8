"""An ssh daemon of the benchmark's own on this machine, behind as many names as are wanted (one1, one2, ...), and how each
of the programs that log in is told so."""

import getpass
import os
import socket
import subprocess

DAEMON = "/usr/sbin/sshd"


def missing():
    """Why it cannot be; None when it can."""
    for program in (DAEMON, "/usr/bin/ssh"):
        if not os.access(program, os.X_OK):
            return program + " is not installed"
    return None


class SshLab:
    def __init__(self, folder):
        self.folder = folder
        self.config = os.path.join(folder, "ssh_config")
        self.client = os.path.join(folder, "ssh")
        for key in ("key", "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.file(key)], check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with open(self.file("host_key.pub"), encoding="utf-8") as key:
            self.write("known_hosts", "[127.0.0.1]:%d %s" % (port, key.read()))
        # Nobody is turned away, and no time goes into this user's .bashrc: bash leaves it out below another shell.
        self.write("sshd_config",
                   "Port %d\nListenAddress 127.0.0.1\nHostKey %s\nPidFile none\nAuthorizedKeysFile %s\nStrictModes no\n"
                   "UsePAM no\nUseDNS no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                   "PermitRootLogin prohibit-password\nPrintMotd no\nMaxStartups 1000\nSetEnv SHLVL=1\n" %
                   (port, self.file("host_key"), self.file("key.pub")))
        self.write("ssh_config",
                   "Host *\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  IdentityFile %s\n  IdentitiesOnly yes\n"
                   "  IdentityAgent none\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile /dev/null\n"
                   "  StrictHostKeyChecking yes\n  BatchMode yes\n  LogLevel ERROR\n" %
                   (port, getpass.getuser(), self.file("key"), self.file("known_hosts")))
        # Hydra takes a program, and no options for it.
        self.write("ssh", "#!/bin/sh\nexec ssh -F %s \"$@\"\n" % self.config)
        os.chmod(self.client, 0o700)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # made by the system's own service otherwise
        with open(self.file("log"), "w", encoding="utf-8") as log:
            self.daemon = subprocess.Popen([DAEMON, "-D", "-e", "-f", self.file("sshd_config")],
                                           stdin=subprocess.DEVNULL, stderr=log)
        # The client tries until somebody listens; it may be a moment.
        subprocess.run(["ssh", "-F", self.config, "-o", "ConnectionAttempts=50", "one1", "true"], check=True,
                       stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.daemon.kill()
        self.daemon.wait()

    def file(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.file(name), "w", encoding="utf-8") as file:
            file.write(text)

    def bare(self, count):
        """One round: all logins at once, each of a client of its own that runs `true`."""
        clients = [subprocess.Popen(["ssh", "-F", self.config, "-T", "-x", "one%d" % i, "true"],
                                    stdin=subprocess.DEVNULL) for i in range(1, count + 1)]
        return [client.wait() for client in clients]

    def allocator(self, bootstrap):
        """For plugins.yaml."""
        return "{plugin: ssh, options: {hosts: ['one[1-64]'], ssh_config: %s, remote_command: %s}}" % (
            self.config, bootstrap)

    def pdsh(self, count):
        return ["env", "PDSH_SSH_ARGS_APPEND=-F %s" % self.config, "pdsh", "-R", "ssh", "-S", "-f", "64", "-w",
                "one[1-%d]" % count, "true"]

    def clush(self, count):
        return ["clush", "-S", "-q", "-f", "64", "-o", "-F %s" % self.config, "-w", "one[1-%d]" % count, "true"]

    def hydra(self, count, program):
        return ["mpiexec.hydra", "-launcher", "ssh", "-launcher-exec", self.client, "-localhost", "127.0.0.1", "-hosts",
                ",".join("one%d" % i for i in range(1, count + 1)), "-ppn", "1", "-n", str(count), program]
