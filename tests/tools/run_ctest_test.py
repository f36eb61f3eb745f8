"""What tools/test adds to ctest (tests/support/run_ctest.py), with another program in the place of ctest."""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import run_ctest  # pylint: disable=wrong-import-position

# As ctest prints and writes them.
PRINTED = """Test project /tree/build/dev
1/3 Test #1: Fast.One ....   Passed    1.00 sec
2/3 Test #2: Slow.Two ....   Passed    3.00 sec
3/3 Test #3: Needs.Csh ...***Skipped   0.00 sec

100% tests passed, 0 tests failed out of 3

Total Test time (real) =   4.00 sec

The following tests did not run:
\t  3 - Needs.Csh (Skipped)
"""
JUNIT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="(empty)" tests="3" failures="0" disabled="0" skipped="1" hostname="" time="4" timestamp="2026-11-27T17:49:34">
  <testcase name="Fast.One" classname="Fast.One" time="1" status="run"><system-out></system-out></testcase>
  <testcase name="Slow.Two" classname="Slow.Two" time="3" status="run"><system-out></system-out></testcase>
  <testcase name="Needs.Csh" classname="Needs.Csh" time="0" status="notrun">
    <skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
    <system-out>[ RUN      ] Needs.Csh
/tree/tests/system/ssh_test.cpp:181: Skipped
/bin/csh is not
installed

[  SKIPPED ] Needs.Csh (0 ms)
</system-out>
  </testcase>
</testsuite>
"""
LISTED = json.dumps({"tests": [{"name": name, "properties": [{"name": "LABELS", "value": [label]}]}
                               for name, label in (("Fast.One", "unit"), ("Slow.Two", "system"),
                                                   ("Needs.Csh", "system"))] + [{"name": "Bare"}]})


class PartsTest(unittest.TestCase):
    tests = run_ctest.read_junit(JUNIT, run_ctest.read_labels(LISTED))

    def test_each_test_has_its_label_its_time_and_why_it_was_skipped(self):
        self.assertEqual(self.tests, [("Fast.One", "unit", 1, None), ("Slow.Two", "system", 3, None),
                                      ("Needs.Csh", "system", 0, "/bin/csh is not installed")])

    def test_a_test_without_a_label_is_counted_too(self):
        self.assertEqual(run_ctest.read_labels(LISTED)["Bare"], "(none)")

    def test_the_wall_clock_is_shared_by_the_times_of_the_tests(self):
        self.assertEqual(run_ctest.shares(self.tests, 2.0), {"system": 1.5, "unit": 0.5})

    def test_one_label_has_all_of_it(self):
        self.assertEqual(run_ctest.shares([("a", "unit", 3, None), ("b", "unit", 3, None)], 3.5), {"unit": 3.5})

    def test_without_tests_there_is_nothing_to_share(self):
        self.assertEqual(run_ctest.budget_lines(run_ctest.shares([], 2.0)), [])

    def test_a_label_over_its_budget_is_marked(self):
        over, within, without = run_ctest.budget_lines({"unit": 41, "system": 179, "slow": 500})[1:]
        self.assertRegex(over, r"unit +41\.0 of +40 +OVER")
        self.assertRegex(within, r"system +179\.0 of +180$")
        self.assertRegex(without, r"slow +500\.0$")

    def test_a_reason_that_is_not_given_is_not_invented(self):
        self.assertEqual(run_ctest.reason_of("[ RUN      ] A.B\n"), "it does not say why")


class RunTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run_with(self, status=0, junit=JUNIT, environment=None):
        os.makedirs(self.path("Testing"))
        for name, text in (("printed", PRINTED), ("junit", junit), ("listed", LISTED)):
            self.write(name, text)
        self.write("ctest", '#!/bin/sh\nif [ "$1" = --test-dir ]; then exec cat "%s"; fi\n[ ! -s "%s" ] || cp "%s" "$2"\n'
                            'cat "%s"\nexit %d\n' % (self.path("listed"), self.path("junit"), self.path("junit"),
                                                    self.path("printed"), status))
        os.chmod(self.path("ctest"), 0o700)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), mock.patch.dict(os.environ, environment or {}):
            for name in ("HOSTMESH_TEST_PACKAGES", "HOSTMESH_TEST_SUMMARY"):
                if name not in (environment or {}):
                    os.environ.pop(name, None)
            done = run_ctest.main(self.folder.name, [], self.path("ctest"))
        return done, printed.getvalue()

    def test_the_summary_of_ctest_comes_last_and_is_unchanged(self):
        _, printed = self.run_with()
        summary = PRINTED[PRINTED.index("100%"):]
        self.assertTrue(printed.endswith(summary), printed)
        self.assertLess(printed.index("Skipped, because /bin/csh is not installed: Needs.Csh"), printed.index(summary))
        self.assertLess(printed.index("unit"), printed.index(summary))

    def test_the_status_is_that_of_ctest(self):
        self.assertEqual(self.run_with(status=8)[0], 8)

    def test_a_test_may_be_skipped_for_want_of_a_package(self):
        self.assertEqual(self.run_with()[0], 0)

    def test_where_all_packages_must_be_there_it_may_not(self):
        done, printed = self.run_with(environment={"HOSTMESH_TEST_PACKAGES": "must"})
        self.assertEqual(done, 1)
        self.assertIn("FAILED: 1 tests were skipped for want of a package", printed)

    def test_the_summary_can_be_had_later(self):
        later = self.path("summary")
        _, printed = self.run_with(environment={"HOSTMESH_TEST_SUMMARY": later})
        self.assertNotIn("100%", printed)
        with open(later, encoding="utf-8") as file:
            self.assertEqual(file.read(), PRINTED[PRINTED.index("100%"):])

    def test_without_a_report_of_ctest_there_is_only_what_ctest_prints(self):
        self.assertEqual(self.run_with(junit="")[1], PRINTED)


if __name__ == "__main__":
    unittest.main()
