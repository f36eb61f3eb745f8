#!/usr/bin/env python3
"""run_ctest.py BUILD CTEST_OPTION...: what tools/test runs. Runs ctest in the current folder and passes its output on. Before
ctest's own summary, which comes last, it prints two things: how long each label took, beside its budget; and which tests
were skipped, with the reason that each gave.

The time of a label is its share of the run's wall clock: what lies between ctest's start and its end is divided among the
labels in proportion to the wall-clock times of their tests. So a run of one label has all of it, and the shares add up to
what somebody has waited. A budget is for the preset dev with two tests at a time on a quiet machine with two CPUs. Nothing
fails because of it.

HOSTMESH_TEST_PACKAGES=must: a test that was skipped because something "is not installed" is a failure.
HOSTMESH_TEST_SUMMARY=FILE: the summary is written there, to be printed by the caller."""

import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

BUDGETS_S = {"unit": 40, "system": 180, "network": 120, "engines": 180, "python": 180}


def read_labels(text):
    """The (first) label of each test, by its name, from what ctest --show-only=json-v1 prints."""
    labels = {}
    for test in json.loads(text)["tests"]:
        values = [each["value"] for each in test.get("properties", []) if each["name"] == "LABELS"]
        labels[test["name"]] = values[0][0] if values and values[0] else "(none)"
    return labels


def read_junit(text, labels):
    """What ctest --output-junit writes, as a list of (name, label, seconds, None or why it was skipped)."""
    tests = []
    for case in xml.etree.ElementTree.fromstring(text).iter("testcase"):
        skipped = None
        if case.find("skipped") is not None:
            skipped = reason_of(case.findtext("system-out") or "")
        tests.append((case.get("name"), labels.get(case.get("name"), "(none)"), float(case.get("time") or 0), skipped))
    return tests


def reason_of(output):
    """The text of GTEST_SKIP() in a test's output, on one line."""
    found = re.search(r": Skipped\n(.*?)(?:\n\n|\n\[|\Z)", output, re.DOTALL)
    return " ".join(found.group(1).split()) if found else "it does not say why"


def shares(tests, wall_s):
    """The wall clock of each label, by label."""
    sums = {}
    for _, label, seconds, _ in tests:
        sums[label] = sums.get(label, 0.0) + seconds
    total = sum(sums.values())
    return {label: wall_s * seconds / total for label, seconds in sorted(sums.items())} if total else {}


def budget_lines(used):
    if not used:
        return []
    lines = ["Label budgets, s (share of the wall clock; load average %.2f, %d CPUs):" %
             (os.getloadavg()[0], os.cpu_count())]
    for label, seconds in used.items():
        budget = BUDGETS_S.get(label)
        text = "%-12s %6.1f" % (label, seconds)
        if budget is not None:
            text += " of %3d" % budget + ("  OVER" if seconds > budget else "")
        lines.append("  " + text)
    return lines


def skip_lines(tests):
    reasons = {}
    for name, _, _, why in tests:
        if why is not None:
            reasons.setdefault(why, []).append(name)
    lines = []
    for why, names in sorted(reasons.items()):
        lines.append("Skipped, because %s: %s" % (why, " ".join(names)))
    return lines


def wanting_packages(tests):
    return [name for name, _, _, why in tests if why is not None and "not installed" in why]


def run(command):
    """Runs ctest and passes its output on up to its summary; its exit code, and the lines of that."""
    summary = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace") as ctest:
        for line in ctest.stdout:
            if summary or re.match(r"\d+% tests passed", line):
                summary.append(line)
            else:
                sys.stdout.write(line)
                sys.stdout.flush()
    return ctest.returncode, summary


def main(build, options, program="ctest"):
    junit = os.path.join(os.path.abspath(build), "Testing", "junit.xml")
    if os.path.exists(junit):
        os.remove(junit)
    start = time.monotonic()
    status, summary = run([program, "--output-junit", junit] + options)
    wall_s = time.monotonic() - start
    if os.path.exists(junit):  # not with -N and the like
        listed = subprocess.run([program, "--test-dir", build, "--show-only=json-v1"], stdout=subprocess.PIPE, check=True)
        with open(junit, "rb") as file:
            tests = read_junit(file.read(), read_labels(listed.stdout))
        for line in budget_lines(shares(tests, wall_s)) + skip_lines(tests):
            print(line)
        wanting = wanting_packages(tests)
        if wanting and os.environ.get("HOSTMESH_TEST_PACKAGES") == "must":
            print("FAILED: %d tests were skipped for want of a package, and all were to be run" % len(wanting))
            status = status or 1
        print(flush=True)
    later = os.environ.get("HOSTMESH_TEST_SUMMARY")
    if later:
        with open(later, "w", encoding="utf-8") as file:
            file.writelines(summary)
    else:
        sys.stdout.writelines(summary)
    return status


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:  # which ctest had, too
        sys.exit(130)
