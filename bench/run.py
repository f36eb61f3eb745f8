#!/usr/bin/env python3
"""tools/bench [PATTERN] [OPTIONS]: builds the programs in bench/ (optimised), runs them and their peers alternately, and prints
the medians with their ratios. PATTERN, a regular expression, chooses among the sections: launch, command, teardown, memory,
death, local, messages, ssh. What does not fit into the time is repeated less often, and the tables say how often.

Peers that are not installed are named, and their columns stay empty: Hydra (Debian's mpich), pdsh and clush (pdsh and
clustershell). Exits with 1 when something that was to be measured failed.

Comparing: --store writes the ratios of hostmesh to its floors and peers into a file, --compare exits with 1 when one of
them is worse than the stored one by more than the spread of both. Ours and the other run in turn, so every round gives a
ratio. The spread of a figure is the interval from its lowest to its highest ratio, from 8 rounds on without those two. A
figure is worse when its interval lies wholly above the stored one, by more than 3 %. Figures with fewer than 5 rounds on
either side are shown and not judged. Compare with what was stored with the same options on a similar machine."""

import argparse
import dataclasses
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import ratios
import ssh_lab

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, "build", "release")
PEERS = {"hydra": ("mpiexec.hydra", "mpich", {"launch", "teardown", "command", "ssh"}),
         "pdsh": ("pdsh", "pdsh", {"ssh"}), "clush": ("clush", "clustershell", {"ssh"})}


# Beyond this factor, up or down, floors and peers are so different that the ratios are, too.
SAME_MACHINE = 1.5


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is measured."""
    repetitions: int
    seconds: float
    sections: tuple = ()
    counts: tuple = (1, 8, 64, 256, 1000)
    commands: tuple = (1, 8, 64, 256, 1000)
    memory: int = 64
    deaths: int = 50
    hosts: tuple = (100, 1000, 10000)
    messages: tuple = (("roundtrip", 20000), ("oneway", 300000))
    pinned: tuple = (True, False)
    logins: tuple = (1, 4, 8, 64)
    warm_up: int = 1  # rounds that do not count
    timeout_s: float = 120


FULL = Size(repetitions=5, seconds=270)
SHORT = Size(repetitions=9, seconds=110, counts=(64, 256), commands=(64,), hosts=(1000,), pinned=(True,),
             messages=(("roundtrip", 5000), ("oneway", 100000)), logins=(4,))
SMOKE = Size(repetitions=1, seconds=60, counts=(1,), commands=(1,), memory=1, deaths=1, hosts=(1,),
             messages=(("roundtrip", 10), ("oneway", 10)), logins=(1,), warm_up=0, timeout_s=30)


def program(name):
    return os.path.join(BUILD, "bench", "bench-" + name)


def cli():
    return os.path.join(BUILD, "bin", "hostmesh")


def build():
    """The programs in bench/, and what is installed."""
    done = subprocess.run([os.path.join(TOP, "tools", "build"), "release", "bench_programs", "installed"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout + "bench: the programs do not build")


def now_ms():
    return time.monotonic() * 1e3


class Failed(Exception):
    pass


def run(command, timeout_s=FULL.timeout_s):
    """The command's output, how long it took, and when it was started, in ms."""
    start = now_ms()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout_s, check=False)
    took = now_ms() - start
    if done.returncode != 0:
        raise Failed("%s: exit code %d: %s" % (" ".join(command), done.returncode, done.stderr.strip()[-300:]))
    return done.stdout, took, start


def values_of(output):
    """Our own programs print one line of name=value."""
    return {key: float(value) for key, value in re.findall(r"(\w+)=([\d.]+)", output)}


class Bench:
    """One run of the benchmark: what its sections measure with, and what they have found."""

    def __init__(self, size, peers, yaml):
        self.size = size
        self.deadline = time.monotonic() + size.seconds
        self.peers = peers
        self.yaml = yaml
        self.ratios = ratios.Ratios()
        self.failures = []
        self.launches = None

    def values(self, *command):
        return values_of(run([str(each) for each in command], self.size.timeout_s)[0])

    def barrier(self, command):
        output, took, start = run(command, self.size.timeout_s)
        up = float(output.split()[0]) - start
        return {"up_ms": up, "down_ms": took - up}

    def whole(self, *command):
        return {"ms": run([str(each) for each in command], self.size.timeout_s)[1]}

    def floor(self, count, *extra):
        return self.values(program("floor_parent"), program("floor_child"), count, *extra)

    def allocate(self, allocator, count, *extra):
        return self.values(program("allocate"), self.yaml, allocator, count, *extra)

    def alternate(self, runners, repetitions=None):
        """Runs each once, then each once again, ...; for each name the list of what it returned, one for each round until
        it fails. The first round warms caches up and does not count."""
        results = {name: [] for name in runners}
        broken = set()
        for turn in range((repetitions or self.size.repetitions) + self.size.warm_up):
            if turn > self.size.warm_up and time.monotonic() > self.deadline:
                break
            for name, runner in runners.items():
                if name in broken:
                    continue
                try:
                    values = runner()
                except (Failed, subprocess.TimeoutExpired, IndexError, ValueError) as failure:
                    print("bench: %s is left out: %s" % (name, failure))
                    self.failures.append("%s: %s" % (name, failure))
                    broken.add(name)
                    continue
                if turn >= self.size.warm_up:
                    results[name].append(values)
        return results

    def keep(self, name, results, ours, other, key):
        """The ratio of two that have run alternately, for --store and --compare."""
        self.ratios.add("%s %s/%s" % (name, ours, other), [each.get(key) for each in results.get(ours, [])],
                        [each.get(key) for each in results.get(other, [])])

    def launched(self):
        """Shared by the sections about launching: the same runs."""
        if self.launches is None:
            self.launches = {}
            for count in self.size.counts:
                runners = {
                    "floor": lambda n=count: self.floor(n),
                    "exec": lambda n=count: self.allocate("exec", n),
                    "fork": lambda n=count: self.allocate("fork", n),
                }
                if "hydra" in self.peers:
                    runners["hydra"] = lambda n=count: self.barrier([PEERS["hydra"][0], "-n", str(n), program("pmi_barrier")])
                self.launches[count] = self.alternate(runners)
        return self.launches


def middle(results, key):
    values = [each[key] for each in results if key in each]
    return statistics.median(values) if values else None


def number(value, digits=1):
    return "-" if value is None else "%.*f" % (digits, value)


def ratio(value, base):
    return "-" if value is None or not base else "%.2f" % (value / base)


def table(title, header, rows):
    print("\n" + title)
    widths = [max(len(str(row[i])) for row in [header] + rows) for i in range(len(header))]
    for row in [header] + rows:
        print("  " + "  ".join(str(cell).rjust(width) for cell, width in zip(row, widths)))


def up_and_ratios(bench, section, key):
    rows = []
    for count, results in bench.launched().items():
        for name in ("exec", "fork"):
            for other in ("floor", "hydra"):
                bench.keep("%s %d" % (section, count), results, name, other, key)
        floor, ours, fork, hydra = (middle(results.get(name, []), key) for name in ("floor", "exec", "fork", "hydra"))
        rows.append([count, number(floor), number(ours), ratio(ours, floor), number(hydra), ratio(ours, hydra),
                     number(fork), ratio(fork, hydra), len(results["exec"])])
    return rows


LAUNCH_HEADER = ["N", "floor", "hostmesh", "x floor", "hydra", "x hydra", "fork server", "x hydra", "runs"]


def launch(bench):
    table("allocate -> all Running, ms (floor: bare spawn and answer; hydra: start -> all through a PMI barrier)",
          LAUNCH_HEADER, up_and_ratios(bench, "launch", "up_ms"))
    rows = []
    for count, results in bench.launched().items():
        for name in ("exec", "fork"):
            bench.keep("launch %d CPU of children" % count, results, name, "floor", "children_cpu_ms")
            bench.keep("launch %d CPU of parent" % count, results, name, "floor", "parent_up_cpu_ms")
            bench.keep("teardown %d CPU of parent" % count, results, name, "floor", "parent_down_cpu_ms")
        row = [count]
        for name in ("floor", "exec", "fork"):
            parent = middle(results[name], "parent_up_cpu_ms")
            down = middle(results[name], "parent_down_cpu_ms")
            children = middle(results[name], "children_cpu_ms")
            row += ["-" if value is None else "%.0f" % (value * 1e3 / count) for value in (parent, down, children)]
        rows.append(row)
    table("CPU for each proc, us: of the parent while they come up, while they go down; of the children over their life",
          ["N", "floor up", "down", "child", "hostmesh up", "down", "child", "fork up", "down", "child"], rows)


def teardown(bench):
    table("all Running -> all gone, ms (hydra: barrier -> mpiexec has exited)", LAUNCH_HEADER,
          up_and_ratios(bench, "teardown", "down_ms"))


def command(bench):
    rows = []
    for count in bench.size.commands:
        runners = {"hostmesh": lambda n=count: bench.whole(
            cli(), "run", "--config", bench.yaml, "--allocator", "exec", "--per-host", "procs=%d" % n, "--", "true")}
        if "hydra" in bench.peers:
            runners["hydra"] = lambda n=count: bench.whole(PEERS["hydra"][0], "-n", n, "true")
        results = bench.alternate(runners)
        bench.keep("command %d" % count, results, "hostmesh", "hydra", "ms")
        ours, hydra = (middle(results.get(name, []), "ms") for name in ("hostmesh", "hydra"))
        rows.append([count, number(ours), number(hydra), ratio(ours, hydra), len(results["hostmesh"])])
    table("whole command, ms: hostmesh run --per-host procs=N -- true; mpiexec.hydra -n N true",
          ["N", "hostmesh", "hydra", "x hydra", "runs"], rows)


def memory(bench):
    count = bench.size.memory
    results = bench.alternate({
        "floor": lambda: bench.floor(count, "memory"),
        "hostmesh": lambda: bench.allocate("exec", count, "memory"),
        "fork server": lambda: bench.allocate("fork", count, "memory"),
    })
    for name in ("hostmesh", "fork server"):
        for key in ("uss_kib", "pss_kib"):
            bench.keep("memory %d %s" % (count, key), results, name, "floor", key)
    table("memory of an idle proc, KiB, one of %d" % count, ["", "own (USS)", "PSS", "peak RSS"],
          [[name] + [number(middle(each, key), 0) for key in ("uss_kib", "pss_kib", "peak_kib")]
           for name, each in results.items()])


def death(bench):
    results = bench.alternate({
        "floor": lambda: bench.floor(bench.size.deaths, "death"),
        "hostmesh": lambda: bench.values(program("death"), bench.yaml, bench.size.deaths),
    })
    bench.keep("death", results, "hostmesh", "floor", "death_us")
    floor, ours = (middle(results[name], "death_us") for name in ("floor", "hostmesh"))
    table("kill -9 of a proc until it is known, us (floor: poll on its pidfd; hostmesh: Stopped event)",
          ["floor", "hostmesh", "x floor"], [[number(floor), number(ours), ratio(ours, floor)]])


def local(bench):
    """Hosts inside one process. Wall clock and, because other work disturbs that, CPU."""
    steps = ("up", "ask", "procs_up", "cast", "down")
    rows = []
    for count in bench.size.hosts:
        procs = min(count, 64)
        results = bench.alternate({"local": lambda n=count: bench.values(program("local_hosts"), bench.yaml, "local", n),
                                   "floor": lambda n=procs: bench.floor(n)}, 1 if count > 1000 else None)
        runs = results["local"]
        # Nothing else puts hosts inside a process. What they cost beside bare processes is at least a ratio.
        bench.ratios.add("local %d CPU of a host local/floor" % count,
                         [sum(each[step + "_cpu_ms"] for step in steps) / count for each in runs],
                         [(each["parent_up_cpu_ms"] + each["children_cpu_ms"]) / procs for each in results["floor"]])
        middles = {key: middle(runs, key) for key in [s + k for s in steps for k in ("_ms", "_cpu_ms")] +
                   ["host_kib", "proc_kib"]}
        cpu = [middles[step + "_cpu_ms"] for step in steps]
        rows.append([count] + [number(middles[step + "_ms"], 0) for step in steps] +
                    [number(each and each * 1e3 / count, 0) for each in cpu] +
                    [number(middles["host_kib"]), number(middles["proc_kib"]), len(runs)])
    table("N hosts inside this process: ms until all are up; to ask each; for a proc with an actor on each; for a cast and "
          "its answers; to shut down;\nthe same as CPU for each host, us; memory for each host and each proc, KiB",
          ["N", "up", "ask", "procs", "cast", "down", "CPU up", "ask", "procs", "cast", "down", "host", "proc", "runs"],
          rows)


def messages(bench):
    cpu = min(os.sched_getaffinity(0))
    rows = []
    for transport in ("unix", "tcp"):
        for how, count in bench.size.messages:
            for pinned in bench.size.pinned:
                extra = [transport, how, count] + ([cpu] if pinned else [])
                results = bench.alternate({
                    "floor": lambda e=extra: bench.values(program("floor_messages"), *e),
                    "hostmesh": lambda e=extra: bench.values(program("messages"), *e),
                })
                for key, what in (("us_per_message", ""), ("cpu_us_per_message", " CPU")):
                    bench.keep("messages %s %s %s%s" % (transport, how, "same CPU" if pinned else "any CPU", what), results,
                               "hostmesh", "floor", key)
                floor, ours = (middle(results[name], "us_per_message") for name in ("floor", "hostmesh"))
                floor_cpu, our_cpu = (middle(results[name], "cpu_us_per_message") for name in ("floor", "hostmesh"))
                rate = "-" if ours is None or how == "roundtrip" else "%.2f M/s" % (1 / ours)
                rows.append([transport, how, "same CPU" if pinned else "any CPU", number(floor, 2), number(ours, 2),
                             ratio(ours, floor), number(floor_cpu, 2), number(our_cpu, 2), ratio(our_cpu, floor_cpu), rate])
    table("64-byte messages between two processes, us for each (floor: bare Asio, same frames)",
          ["", "", "", "floor", "hostmesh", "x floor", "CPU floor", "CPU hostmesh", "x floor", ""], rows)


def ssh(bench):
    """One login for each rank, to one daemon behind as many names."""
    why = ssh_lab.missing()
    if why:
        print("\nbench: no logins: " + why)
        return
    rows = []
    with tempfile.TemporaryDirectory(prefix="hostmesh-bench-ssh-") as folder, ssh_lab.SshLab(folder) as lab:
        yaml = lab.file("plugins.yaml")
        lab.write("plugins.yaml", "plugin_path: [%s]\ndefault: lab\nallocators:\n  lab: %s\n" % (
            os.path.join(BUILD, "lib", "hostmesh", "plugins"),
            lab.allocator(os.path.join(BUILD, "bin", "hostmesh-bootstrap"))))

        def bare(count):
            start = now_ms()
            if any(lab.bare(count)):
                raise Failed("a login was refused")
            return {"ms": now_ms() - start}

        for count in bench.size.logins:
            runners = {
                "bare": lambda n=count: bare(n),
                "ready": lambda n=count: {"ms": bench.values(program("allocate"), yaml, "lab", n)["up_ms"]},
                "command": lambda n=count: bench.whole(
                    cli(), "run", "--config", yaml, "--extent", "hosts=%d" % n, "--", "true"),
                "pdsh": lambda n=count: bench.whole(*lab.pdsh(n)),
                "clush": lambda n=count: bench.whole(*lab.clush(n)),
                "hydra": lambda n=count: {"ms": bench.barrier(lab.hydra(n, program("pmi_barrier")))["up_ms"]},
            }
            results = bench.alternate({name: runner for name, runner in runners.items()
                                       if name not in PEERS or name in bench.peers})
            for name in ("ready", "command"):
                bench.keep("ssh %d" % count, results, name, "bare", "ms")
            floor = middle(results["bare"], "ms")
            row = [count, number(floor, 0)]
            for name in ("ready", "command", "pdsh", "clush", "hydra"):
                value = middle(results.get(name, []), "ms")
                row += [number(value, 0), ratio(value, floor)]
            rows.append(row + [len(results["ready"])])
    table("over ssh, N ranks, a login each, ms (bare: N ssh clients at once, each running true; ready: allocate -> all "
          "Running; run:\nhostmesh run -- true, pdsh and clush running true, whole commands; hydra: start -> all through a "
          "PMI barrier)", ["N", "bare", "ready", "x bare", "run", "x bare", "pdsh", "x bare", "clush", "x bare", "hydra",
                           "x bare", "runs"], rows)


SECTIONS = {"launch": launch, "teardown": teardown, "command": command, "memory": memory, "death": death,
            "local": local, "messages": messages, "ssh": ssh}


def parse_arguments(words):
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", help="regular expression over the names of sections")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--short", dest="size", action="store_const", const=SHORT, default=FULL,
                      help="few sizes, often enough to compare; about two minutes")
    size.add_argument("--smoke", dest="size", action="store_const", const=SMOKE,
                      help="each section once at its smallest size, to see that it works; its figures mean nothing")
    parser.add_argument("--repetitions", type=int, help="rounds (default: %d, --short: %d)" % (
        FULL.repetitions, SHORT.repetitions))
    parser.add_argument("--seconds", type=float, help="for the whole measurement (default: %d, --short: %d)" % (
        FULL.seconds, SHORT.seconds))
    parser.add_argument("--realtime", action="store_true",
                        help="keeps other work on the machine away while something runs (root only)")
    parser.add_argument("--store", metavar="FILE", help="writes the ratios into FILE")
    parser.add_argument("--compare", metavar="FILE", help="compares the ratios with those in FILE")
    arguments = parser.parse_args(words)
    chosen = [name for name in SECTIONS if re.search(arguments.pattern, name)]
    if not chosen:
        parser.error("no section matches '%s'; there are %s" % (arguments.pattern, ", ".join(SECTIONS)))
    if arguments.size is SMOKE and (arguments.store or arguments.compare):
        parser.error("--smoke measures nothing that could be stored or compared")
    if arguments.realtime and os.geteuid() != 0:
        parser.error("--realtime needs root")
    arguments.size = dataclasses.replace(
        arguments.size, sections=tuple(chosen), repetitions=arguments.repetitions or arguments.size.repetitions,
        seconds=arguments.seconds or arguments.size.seconds)
    return arguments


def installed_peers(sections):
    """Of those that these sections can use; the others are named."""
    here = set()
    for name, (command_name, package, users) in PEERS.items():
        if not users & set(sections):
            continue
        if shutil.which(command_name):
            here.add(name)
        else:
            print("bench: %s is not installed (Debian's %s): left out of %s" % (
                command_name, package, ", ".join(each for each in sections if each in users)))
    return here


def weight(name, sections):
    """A section's part of the time. Launch and teardown share what the first of them measures."""
    if name == "teardown":
        return 0 if "launch" in sections else 4
    return {"launch": 4, "messages": 2, "ssh": 2}.get(name, 1)


def measure(bench, sections):
    """Each section has its part of what is left of the time when it begins."""
    end = time.monotonic() + bench.size.seconds
    weights = [weight(name, bench.size.sections) for name in bench.size.sections]
    for i, name in enumerate(bench.size.sections):
        now = time.monotonic()
        bench.deadline = now + max(0.0, end - now) * weights[i] / (sum(weights[i:]) or 1)
        try:
            sections[name](bench)
        except (Failed, OSError, subprocess.SubprocessError) as failure:
            print("\nbench: the section %s is left out: %s" % (name, failure))
            bench.failures.append("%s: %s" % (name, failure))
        sys.stdout.flush()


def print_comparison(file, stored, now):
    taken, samples = stored
    rows = ratios.compare(now.samples, samples)
    table("ratios: median (lowest to highest, without the outermost from %d rounds on); stored by %s" % (
        ratios.TRIMMED_FROM, taken.get("revision", "somebody")), ["", "stored", "now", ""], rows)
    slow = ratios.times_as_slow(now.bases, taken.get("bases", {}))
    print("\nbench: floors and peers took %.2f times as long as when they were stored%s" % (
        slow, "" if 1 / SAME_MACHINE < slow < SAME_MACHINE else ": as on another machine, so believe little of this"))
    if ratios.passed(rows):
        print("\nbench: nothing is worse than in %s by more than its spread" % file)
        return True
    worse = [row[0] for row in rows if row[-1] == "WORSE"]
    print("\nbench: " + ("worse than in %s: %s" % (file, "; ".join(worse)) if worse else
                         "nothing could be compared with %s" % file))
    return False


def main(words):
    arguments = parse_arguments(words)
    try:
        stored = ratios.load(arguments.compare) if arguments.compare else None
    except (OSError, ValueError) as wrong:
        sys.exit("bench: %s" % wrong)
    build()
    size = arguments.size
    peers = installed_peers(size.sections)
    revision = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"], capture_output=True, text=True,
                              check=False).stdout.strip() or "(no git)"
    load = " ".join("%.2f" % each for each in os.getloadavg())
    print("hostmesh %s, %d CPUs, load average %s at start, medians of up to %d runs after %s" %
          (revision, os.cpu_count(), load, size.repetitions, "one that warms up" if size.warm_up else "none"))
    if arguments.realtime:  # inherited by all that is measured
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        print("real-time priority")
    with tempfile.TemporaryDirectory(prefix="hostmesh-bench-") as folder:
        yaml = os.path.join(folder, "plugins.yaml")
        with open(yaml, "w", encoding="utf-8") as file:
            file.write("plugin_path: [%s]\ndefault: exec\nallocators:\n  exec: {plugin: process}\n"
                       "  fork: {plugin: process, options: {start: fork-server}}\n"
                       "  local: {plugin: local}\n" %
                       os.path.join(BUILD, "lib", "hostmesh", "plugins"))
        bench = Bench(size, peers, yaml)
        measure(bench, SECTIONS)
    print("\nload average %.2f at the end" % os.getloadavg()[0])

    good = not bench.failures
    if stored:
        good = print_comparison(arguments.compare, stored, bench.ratios) and good
    if arguments.store:
        samples = {name: sample for name, sample in bench.ratios.samples.items() if len(sample) >= ratios.MINIMUM}
        too_few = sorted(set(bench.ratios.samples) - set(samples))
        if too_few:
            print("\nbench: not stored, because there was no time for %d rounds: %s" % (ratios.MINIMUM, "; ".join(too_few)))
        ratios.store(arguments.store, {
            "revision": revision, "command": "tools/bench " + " ".join(words), "cpus": os.cpu_count(), "load average": load,
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "bases": {name: bench.ratios.bases[name] for name in samples}}, samples)
        print("\nbench: %d figures stored in %s" % (len(samples), arguments.store))
    for failure in bench.failures:
        print("bench: FAILED: " + failure)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
