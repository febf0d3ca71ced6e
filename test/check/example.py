#!/usr/bin/env python3
"""Runs an example: it must exit with 0 and print what the .out file holds.

usage: example.py [--needs <command>] [--folder] [--folder-of <maker>]
                  [--server <server>] [--give <argument>] ... <program>
                  [<expected output>]

Without the command that it needs it is skipped. With --folder the program gets
an empty folder behind what it is given; with a maker a folder before it, which
that has filled. With a server, which runs meanwhile and prints its URL, it gets that, and
a file to write: what that holds then counts as output. In the output
dates are shown as DATE, and lines of progress ("3 of 8"), which come as time
goes by, are left out. TEST_WRAPPER, a command such as valgrind's, is put
before the program.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
PROGRESS = re.compile(r"^\d+ of \d+\n", re.MULTILINE)


def run_example(maker, program, given, wants_folder=False):
    command = shlex.split(os.environ.get("TEST_WRAPPER", "")) + [program]
    with tempfile.TemporaryDirectory() as folder:
        if maker:
            subprocess.run([maker, folder], check=True, timeout=50)
            command.append(folder)
        command += given
        if wants_folder:
            command.append(folder)
        run = subprocess.run(command, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True,
                             errors="replace", timeout=50)
    run.stdout = PROGRESS.sub("", DATE.sub("DATE", run.stdout))
    return run


def run_beside(server, program):
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            [server], stdout=subprocess.PIPE, text=True) as served:
        try:
            url = served.stdout.readline().strip()
            file = pathlib.Path(folder) / "file"
            run = run_example(None, program, [url, str(file)])
            if file.exists():
                run.stdout += file.read_text(encoding="utf-8")
            return run
        finally:
            served.terminate()


def main():
    args = sys.argv[1:]
    maker = server = None
    if args[0] == "--needs":
        if not shutil.which(args[1]):
            print(f"1..1\nok 1 - run # SKIP no {args[1]} here")
            return 0
        args = args[2:]
    wants_folder = args[0] == "--folder"
    if wants_folder:
        args = args[1:]
    if args[0] == "--folder-of":
        maker, args = args[1], args[2:]
    if args[0] == "--server":
        server, args = args[1], args[2:]
    given = []
    while args[0] == "--give":
        given.append(args[1])
        args = args[2:]
    run = (run_beside(server, args[0]) if server
           else run_example(maker, args[0], given, wants_folder))
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
