"""What the benchmark stores and compares (bench/ratios.py), and that what fails in it is a failure (bench/run.py)."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))

import ratios  # pylint: disable=wrong-import-position
import run  # pylint: disable=wrong-import-position


def stored_with(content):
    file = tempfile.NamedTemporaryFile("w", suffix=".json", delete=False)
    with file:
        file.write(content)
    return file.name


class SampleTest(unittest.TestCase):
    def test_a_ratio_is_of_two_values_of_the_same_round(self):
        collected = ratios.Ratios()
        collected.add("launch", [30, 40], [10, 20])
        self.assertEqual(collected.samples, {"launch": [3, 2]})

    def test_a_round_without_one_of_its_values_has_no_ratio(self):
        collected = ratios.Ratios()
        collected.add("launch", [30, None, 40, 50], [10, 10, 0, None])
        self.assertEqual(collected.samples, {"launch": [3]})

    def test_a_figure_without_any_ratio_is_not_there(self):
        collected = ratios.Ratios()
        collected.add("launch", [], [10])
        self.assertEqual(collected.samples, {})


class VerdictTest(unittest.TestCase):
    stored = [1.50, 1.52, 1.55, 1.58, 1.60]

    def test_the_spread_is_from_the_lowest_to_the_highest(self):
        self.assertEqual(ratios.interval([3, 1, 2, 5, 4]), (1, 5))

    def test_of_eight_rounds_and_more_the_outermost_two_do_not_count(self):
        self.assertEqual(ratios.interval([9, 1, 2, 3, 4, 5, 6, 0]), (1, 6))

    def test_worse_is_what_lies_wholly_above_the_stored_spread(self):
        self.assertEqual(ratios.verdict([1.70, 1.72, 1.75, 1.78, 1.80], self.stored), "WORSE")

    def test_what_overlaps_the_stored_spread_is_not_worse(self):
        self.assertEqual(ratios.verdict([1.60, 1.72, 1.75, 1.78, 1.80], self.stored), "as stored")

    def test_what_is_above_it_by_less_than_the_resolution_is_not_worse(self):
        self.assertEqual(ratios.verdict([1.62, 1.64, 1.64, 1.64, 1.64], self.stored), "as stored")
        self.assertEqual(ratios.verdict([1.65, 1.65, 1.65, 1.65, 1.65], self.stored), "WORSE")

    def test_better_is_what_lies_wholly_below(self):
        self.assertEqual(ratios.verdict([1.30, 1.31, 1.32, 1.33, 1.34], self.stored), "better")

    def test_one_disturbed_round_hides_nothing_when_there_are_eight(self):
        worse = [1.70, 1.71, 1.72, 1.73, 1.74, 1.75, 1.76, 1.77]
        stored = [1.50, 1.51, 1.52, 1.53, 1.54, 1.55, 1.56, 4.0]
        self.assertEqual(ratios.verdict(worse[:-1] + [0.1], stored), "WORSE")

    def test_four_rounds_are_too_few_on_either_side(self):
        self.assertEqual(ratios.verdict([9, 9, 9, 9], self.stored), "too few runs")
        self.assertEqual(ratios.verdict([9, 9, 9, 9, 9], self.stored[:4]), "too few runs")


class CompareTest(unittest.TestCase):
    def test_a_machine_is_as_slow_as_its_floors(self):
        self.assertAlmostEqual(ratios.times_as_slow({"a": 20, "b": 5, "new": 7}, {"a": 10, "b": 10, "left out": 1}), 1)
        self.assertAlmostEqual(ratios.times_as_slow({"a": 30, "b": 30}, {"a": 10, "b": 10}), 3)
        self.assertEqual(ratios.times_as_slow({"a": 30}, {}), 1)

    def test_one_worse_figure_among_good_ones_fails(self):
        rows = ratios.compare({"a": [1] * 5, "b": [2] * 5}, {"a": [1] * 5, "b": [1] * 5})
        self.assertEqual([row[-1] for row in rows], ["as stored", "WORSE"])
        self.assertFalse(ratios.passed(rows))

    def test_figures_that_are_new_or_were_not_measured_do_not_fail(self):
        rows = ratios.compare({"a": [1] * 5, "new": [9] * 5}, {"a": [1] * 5, "not chosen": [1] * 5})
        self.assertEqual([(row[0], row[-1]) for row in rows], [("a", "as stored"), ("new", "new")])
        self.assertTrue(ratios.passed(rows))

    def test_where_nothing_could_be_compared_it_has_not_passed(self):
        self.assertFalse(ratios.passed(ratios.compare({}, {"a": [1] * 5})))
        self.assertFalse(ratios.passed(ratios.compare({"a": [1] * 5}, {"b": [1] * 5})))
        self.assertFalse(ratios.passed(ratios.compare({"a": [1] * 4}, {"a": [1] * 5})))


class FileTest(unittest.TestCase):
    def load(self, content):
        name = stored_with(content)
        self.addCleanup(os.remove, name)
        return ratios.load(name)

    def test_what_is_stored_is_read_back(self):
        name = stored_with("")
        self.addCleanup(os.remove, name)
        samples = {"launch 64 \"x\"": [1.5, 1.625], "death": [2.0]}
        ratios.store(name, {"revision": "abc", "cpus": 2}, samples)
        self.assertEqual(ratios.load(name), ({"revision": "abc", "cpus": 2}, samples))

    def test_what_is_no_stored_file_is_refused(self):
        for content in ("", "[]", "{}", '{"ratios": {"a": 1}, "taken": {}}', '{"ratios": {"a": ["x"]}, "taken": {}}',
                        '{"ratios": {"a": []}, "taken": {}}', '{"ratios": {"a": [1]}}'):
            with self.subTest(content), self.assertRaises(ValueError):
                self.load(content)

    def test_the_stored_figures_of_this_tree_can_be_compared_with(self):
        _, samples = ratios.load(os.path.join(os.path.dirname(run.__file__), "stored.json"))
        self.assertGreater(len(samples), 20)
        for name, sample in samples.items():
            self.assertGreaterEqual(len(sample), ratios.MINIMUM, name)


class RunTest(unittest.TestCase):
    """The programs and the sections are replaced, so nothing is built or measured."""

    def run_with(self, words, sections):
        printed = io.StringIO()
        with mock.patch.multiple(run, build=lambda: None, SECTIONS=sections), contextlib.redirect_stdout(printed):
            status = run.main(words)
        return status, printed.getvalue()

    @staticmethod
    def measures(ours):
        def section(bench):
            results = bench.alternate({"hostmesh": lambda: {"ms": ours}, "floor": lambda: {"ms": 10}})
            bench.keep("thing", results, "hostmesh", "floor", "ms")
        return section

    def test_it_passes_when_all_sections_do(self):
        self.assertEqual(self.run_with(["--smoke"], {"memory": self.measures(20)})[0], 0)

    def test_a_program_that_fails_in_a_section_fails_the_run(self):
        def section(bench):
            bench.alternate({"hostmesh": lambda: bench.values("false"), "floor": lambda: {"ms": 1}})
        status, printed = self.run_with(["--smoke"], {"memory": section, "death": self.measures(20)})
        self.assertEqual(status, 1)
        self.assertIn("FAILED: hostmesh: false: exit code 1", printed)

    def test_a_section_that_fails_as_a_whole_fails_the_run_and_the_others_are_measured(self):
        def section(bench):
            raise subprocess.CalledProcessError(1, "sshd")
        measured = []
        status, printed = self.run_with(["--smoke"], {"ssh": section, "death": measured.append})
        self.assertEqual((status, len(measured)), (1, 1))
        self.assertIn("FAILED: ssh: ", printed)

    def test_smoke_runs_each_once_and_short_often_enough_to_compare(self):
        for words, expected in ((["--smoke"], 1), (["--short"], run.SHORT.repetitions + 1)):
            calls = []
            self.run_with(words, {"memory": lambda bench, c=calls: bench.alternate({"a": lambda: c.append(1)})})
            self.assertEqual(len(calls), expected)
        self.assertGreaterEqual(run.SHORT.repetitions, ratios.TRIMMED_FROM)

    def test_peers_that_are_not_installed_are_named(self):
        with mock.patch.object(run.shutil, "which", lambda program: None):
            printed = self.run_with(["--smoke"], {"ssh": lambda bench: None})[1]
        for program in ("mpiexec.hydra", "pdsh", "clush"):
            self.assertIn("%s is not installed" % program, printed)

    def test_a_slower_run_fails_the_comparison_with_what_was_stored(self):
        name = stored_with("")
        self.addCleanup(os.remove, name)
        status, _ = self.run_with(["--short", "--store", name], {"memory": self.measures(20)})
        self.assertEqual(status, 0)
        with open(name, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["ratios"], {"thing hostmesh/floor": [2.0] * run.SHORT.repetitions})
        self.assertEqual(self.run_with(["--short", "--compare", name], {"memory": self.measures(20)})[0], 0)
        status, printed = self.run_with(["--short", "--compare", name], {"memory": self.measures(22)})
        self.assertEqual(status, 1)
        self.assertIn("worse than in %s: thing hostmesh/floor" % name, printed)

    def test_figures_of_too_few_rounds_are_not_stored_and_named(self):
        name = stored_with("")
        self.addCleanup(os.remove, name)
        printed = self.run_with(["--short", "--repetitions", "4", "--store", name], {"memory": self.measures(20)})[1]
        with open(name, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["ratios"], {})
        self.assertIn("not stored, because there was no time for 5 rounds: thing hostmesh/floor", printed)

    def test_figures_of_another_machine_are_said_to_be_so(self):
        for stored, said in ((10, False), (14, False), (16, True), (5, True)):
            name = stored_with('{"taken": {"bases": {"thing hostmesh/floor": %d}},'
                               ' "ratios": {"thing hostmesh/floor": [2, 2, 2, 2, 2]}}' % stored)
            self.addCleanup(os.remove, name)
            printed = self.run_with(["--short", "--compare", name], {"memory": self.measures(20)})[1]
            self.assertEqual("as on another machine" in printed, said, printed)

    def test_launch_has_more_of_the_time_and_teardown_none_beside_it(self):
        self.assertGreater(run.weight("launch", ["launch", "teardown"]), run.weight("memory", ["launch", "memory"]))
        self.assertEqual(run.weight("teardown", ["launch", "teardown"]), 0)
        self.assertGreater(run.weight("teardown", ["teardown"]), 0)

    def test_a_section_that_fails_fails_the_comparison(self):
        name = stored_with('{"taken": {}, "ratios": {"thing hostmesh/floor": [2, 2, 2, 2, 2]}}')
        self.addCleanup(os.remove, name)

        def broken(bench):
            bench.alternate({"hostmesh": lambda: bench.values("false")})
        status, _ = self.run_with(["--short", "--compare", name], {"memory": self.measures(20), "death": broken})
        self.assertEqual(status, 1)

    def test_a_file_that_cannot_be_compared_with_ends_it_before_anything_is_measured(self):
        with self.assertRaises(SystemExit) as ended:
            self.run_with(["--compare", "/nonexistent/stored.json"], {"memory": self.measures(20)})
        self.assertIn("/nonexistent/stored.json", str(ended.exception.code))


if __name__ == "__main__":
    unittest.main()
