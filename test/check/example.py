#!/usr/bin/env python3
"""Runs an example: it must exit with 0 and print what the .out file holds.

usage: example.py <program> [<expected output>]

TEST_WRAPPER, a command such as valgrind's, is put before the program.
"""
import os
import pathlib
import shlex
import subprocess
import sys


def main():
    command = shlex.split(os.environ.get("TEST_WRAPPER", "")) + sys.argv[1:2]
    run = subprocess.run(command, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True,
                         errors="replace", timeout=50)
    right = run.returncode == 0
    if len(sys.argv) > 2:
        expected = pathlib.Path(sys.argv[2]).read_text()
        right = right and run.stdout == expected
    print("1..1")
    print("ok 1 - run" if right else "not ok 1 - run")
    if not right:
        print(f"# exit status {run.returncode}; it printed:")
        for line in run.stdout.splitlines():
            print("#", line)
        if len(sys.argv) > 2:
            print("# expected:")
            for line in expected.splitlines():
                print("#", line)
    return 0 if right else 1


sys.exit(main())
