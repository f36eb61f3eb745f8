#!/usr/bin/env python3
"""Fails when a source file of the tree is compiled by no target: every_source_is_built.py TOP BUILD. What no build covers
stops compiling unseen."""

import json
import os
import sys

FOLDERS = ("core", "allocators", "conformance", "tools", "tests", "examples", "bench")


def sources(top):
    for folder in FOLDERS:
        for place, _, files in os.walk(os.path.join(top, folder)):
            yield from (os.path.join(place, file) for file in files if file.endswith((".c", ".cpp")))


def main(top, build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        compiled = {os.path.realpath(os.path.join(each["directory"], each["file"])) for each in json.load(file)}
    found = {os.path.realpath(each) for each in sources(top)}
    left_out = sorted(found - compiled)
    for each in left_out:
        print("no target compiles " + os.path.relpath(each, top))
    if len(found) < 100:
        print("too few sources were found to be true: %d" % len(found))
    return 1 if left_out or len(found) < 100 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
