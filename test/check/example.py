#!/usr/bin/env python3
"""Runs an example: it must exit with 0 and print what the .out file holds.

usage: example.py [--folder-of <maker>] <program> [<expected output>]

With a maker the program gets a folder, which that has filled. In the output
dates are shown as DATE. TEST_WRAPPER, a command such as valgrind's, is put
before the program.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")


def run_example(maker, program):
    command = shlex.split(os.environ.get("TEST_WRAPPER", "")) + [program]
    with tempfile.TemporaryDirectory() as folder:
        if maker:
            subprocess.run([maker, folder], check=True, timeout=50)
            command.append(folder)
        run = subprocess.run(command, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True,
                             errors="replace", timeout=50)
    run.stdout = DATE.sub("DATE", run.stdout)
    return run


def main():
    args = sys.argv[1:]
    maker = None
    if args[0] == "--folder-of":
        maker, args = args[1], args[2:]
    run = run_example(maker, args[0])
    right = run.returncode == 0
    if len(args) > 1:
        expected = pathlib.Path(args[1]).read_text()
        right = right and run.stdout == expected
    print("1..1")
    print("ok 1 - run" if right else "not ok 1 - run")
    if not right:
        print(f"# exit status {run.returncode}; it printed:")
        for line in run.stdout.splitlines():
            print("#", line)
        if len(args) > 1:
            print("# expected:")
            for line in expected.splitlines():
                print("#", line)
    return 0 if right else 1


sys.exit(main())
