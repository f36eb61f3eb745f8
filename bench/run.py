#!/usr/bin/env python3
"""bench/run.py [PATTERN], by way of tools/bench: builds the programs in bench/ (optimised), runs them and their peers alternately, and prints the
medians with their ratios. PATTERN, a regular expression, chooses among the sections: launch, command, teardown, memory,
death, local, messages. --repetitions N (default 5); --seconds S bounds the whole measurement (default 270): what does not fit
is repeated less often, and said so. --realtime keeps other work on the machine away while something runs (root only).

Without Hydra (Debian's mpich, which tools/bench installs) its columns are empty."""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, "build", "release")
COUNTS = [1, 8, 64, 256, 1000]


def program(name):
    return os.path.join(BUILD, "bench", "bench-" + name)


def cli():
    return os.path.join(BUILD, "bin", "hostmesh")


def build():
    subprocess.run([os.path.join(TOP, "tools", "install-packages")], check=True)
    quiet = {"stdout": subprocess.DEVNULL}
    subprocess.run(["cmake", "--preset", "release", "-DHOSTMESH_BENCH=ON"], cwd=TOP, check=True, **quiet)
    targets = ["bench-" + name for name in
               ("allocate", "death", "local_hosts", "messages", "floor_parent", "floor_child", "floor_messages", "pmi_barrier")]
    subprocess.run(["ninja", "-C", BUILD, "hostmesh-cli", "hostmesh-bootstrap", "process", "local"] + targets, check=True, **quiet)


def find_hydra():
    return shutil.which("mpiexec.hydra")


def now_ms():
    return time.monotonic() * 1e3


class Failed(Exception):
    pass


def run(command):
    """The command's output and how long it took, in ms."""
    start = now_ms()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120, check=False)
    took = now_ms() - start
    if done.returncode != 0:
        raise Failed("%s: exit code %d: %s" % (" ".join(command), done.returncode, done.stderr.strip()[-300:]))
    return done.stdout, took, start


def run_values(command):
    """For our own programs, which print one line of name=value."""
    return {key: float(value) for key, value in re.findall(r"(\w+)=([\d.]+)", run(command)[0])}


def run_hydra_barrier(hydra, count):
    output, took, start = run([hydra, "-n", str(count), program("pmi_barrier")])
    up = float(output.split()[0]) - start
    return {"up_ms": up, "down_ms": took - up}


def run_command(command):
    return {"ms": run(command)[1]}


class Bench:
    def __init__(self, repetitions, seconds, hydra, yaml):
        self.repetitions = repetitions
        self.deadline = time.monotonic() + seconds
        self.hydra = hydra
        self.yaml = yaml
        self.launches = None

    def alternate(self, runners, repetitions=None):
        """Runs each once, then each once again, ...; for each name the list of what it returned. The first round warms
        caches up and does not count."""
        results = {name: [] for name in runners}
        broken = set()
        for turn in range((repetitions or self.repetitions) + 1):
            if turn >= 2 and time.monotonic() > self.deadline:
                break
            for name, runner in runners.items():
                if name in broken:
                    continue
                try:
                    values = runner()
                except (Failed, subprocess.TimeoutExpired, IndexError, ValueError) as failure:
                    print("bench: %s is left out: %s" % (name, failure))
                    broken.add(name)
                    continue
                if turn > 0:
                    results[name].append(values)
        return results

    def launched(self):
        """Shared by the sections about launching: the same runs."""
        if self.launches is None:
            self.launches = {}
            for count in COUNTS:
                runners = {
                    "floor": lambda n=count: run_values([program("floor_parent"), program("floor_child"), str(n)]),
                    "exec": lambda n=count: run_values([program("allocate"), self.yaml, "exec", str(n)]),
                    "fork": lambda n=count: run_values([program("allocate"), self.yaml, "fork", str(n)]),
                }
                if self.hydra:
                    runners["hydra"] = lambda n=count: run_hydra_barrier(self.hydra, n)
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


def up_and_ratios(bench, key):
    rows = []
    for count, results in bench.launched().items():
        floor, ours, fork, hydra = (middle(results.get(name, []), key) for name in ("floor", "exec", "fork", "hydra"))
        rows.append([count, number(floor), number(ours), ratio(ours, floor), number(hydra), ratio(ours, hydra),
                     number(fork), ratio(fork, hydra), len(results["exec"])])
    return rows


LAUNCH_HEADER = ["N", "floor", "hostmesh", "x floor", "hydra", "x hydra", "fork server", "x hydra", "runs"]


def launch(bench):
    table("allocate -> all Running, ms (floor: bare spawn and answer; hydra: start -> all through a PMI barrier)",
          LAUNCH_HEADER, up_and_ratios(bench, "up_ms"))
    rows = []
    for count, results in bench.launched().items():
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
          up_and_ratios(bench, "down_ms"))


def command(bench):
    rows = []
    for count in COUNTS:
        runners = {"hostmesh": lambda n=count: run_command(
            [cli(), "run", "--config", bench.yaml, "--allocator", "exec", "--per-host", "procs=%d" % n, "--", "true"])}
        if bench.hydra:
            runners["hydra"] = lambda n=count: run_command([bench.hydra, "-n", str(n), "true"])
        results = bench.alternate(runners)
        ours, hydra = (middle(results.get(name, []), "ms") for name in ("hostmesh", "hydra"))
        rows.append([count, number(ours), number(hydra), ratio(ours, hydra), len(results["hostmesh"])])
    table("whole command, ms: hostmesh run --per-host procs=N -- true; mpiexec.hydra -n N true",
          ["N", "hostmesh", "hydra", "x hydra", "runs"], rows)


def memory(bench):
    count = "64"
    results = bench.alternate({
        "floor": lambda: run_values([program("floor_parent"), program("floor_child"), count, "memory"]),
        "hostmesh": lambda: run_values([program("allocate"), bench.yaml, "exec", count, "memory"]),
        "fork server": lambda: run_values([program("allocate"), bench.yaml, "fork", count, "memory"]),
    }, 1)
    table("memory of an idle proc, KiB, one of %s" % count, ["", "own (USS)", "PSS", "peak RSS"],
          [[name] + [number(middle(each, key), 0) for key in ("uss_kib", "pss_kib", "peak_kib")]
           for name, each in results.items()])


def death(bench):
    results = bench.alternate({
        "floor": lambda: run_values([program("floor_parent"), program("floor_child"), "50", "death"]),
        "hostmesh": lambda: run_values([program("death"), bench.yaml, "50"]),
    })
    floor, ours = (middle(results[name], "death_us") for name in ("floor", "hostmesh"))
    table("kill -9 of a proc until it is known, us (floor: poll on its pidfd; hostmesh: Stopped event)",
          ["floor", "hostmesh", "x floor"], [[number(floor), number(ours), ratio(ours, floor)]])


def local(bench):
    """Hosts inside one process. Wall clock and, because other work disturbs that, CPU."""
    steps = ("up", "ask", "procs_up", "cast", "down")
    rows = []
    for count in (100, 1000, 10000):
        runs = bench.alternate({"local": lambda n=count: run_values([program("local_hosts"), bench.yaml, "local", str(n)])},
                               1 if count > 1000 else None)["local"]
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
    cpu = str(min(os.sched_getaffinity(0)))
    rows = []
    for transport in ("unix", "tcp"):
        for how, count in (("roundtrip", "20000"), ("oneway", "300000")):
            for pinned in (True, False):
                extra = [transport, how, count] + ([cpu] if pinned else [])
                results = bench.alternate({
                    "floor": lambda e=extra: run_values([program("floor_messages")] + e),
                    "hostmesh": lambda e=extra: run_values([program("messages")] + e),
                })
                floor, ours = (middle(results[name], "us_per_message") for name in ("floor", "hostmesh"))
                floor_cpu, our_cpu = (middle(results[name], "cpu_us_per_message") for name in ("floor", "hostmesh"))
                rate = "-" if ours is None or how == "roundtrip" else "%.2f M/s" % (1 / ours)
                rows.append([transport, how, "same CPU" if pinned else "any CPU", number(floor, 2), number(ours, 2),
                             ratio(ours, floor), number(floor_cpu, 2), number(our_cpu, 2), ratio(our_cpu, floor_cpu), rate])
    table("64-byte messages between two processes, us for each (floor: bare Asio, same frames)",
          ["", "", "", "floor", "hostmesh", "x floor", "CPU floor", "CPU hostmesh", "x floor", ""], rows)


SECTIONS = {"launch": launch, "teardown": teardown, "command": command, "memory": memory, "death": death,
            "local": local, "messages": messages}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", help="regular expression over the names of sections")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=270)
    parser.add_argument("--realtime", action="store_true")
    arguments = parser.parse_args()
    chosen = [name for name in SECTIONS if re.search(arguments.pattern, name)]
    if not chosen:
        sys.exit("bench: no section matches '%s'; there are %s" % (arguments.pattern, ", ".join(SECTIONS)))
    build()
    hydra = find_hydra() if {"launch", "teardown", "command"} & set(chosen) else None
    revision = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"], capture_output=True, text=True,
                              check=False).stdout.strip()
    print("hostmesh %s, %d CPUs, load average %.2f %.2f %.2f at start, medians of up to %d runs after one that warms up" %
          ((revision or "(no git)", os.cpu_count()) + os.getloadavg() + (arguments.repetitions,)))
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
        bench = Bench(arguments.repetitions, arguments.seconds, hydra, yaml)
        for name in chosen:
            SECTIONS[name](bench)
            sys.stdout.flush()
    print("\nload average %.2f at the end" % os.getloadavg()[0])


if __name__ == "__main__":
    main()
