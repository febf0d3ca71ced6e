#!/usr/bin/env python3
"""Runs the addon for Node: its example, and the tests of Promises/A+.

usage: node.py <scripts> <expected output> <folder> (<addon> | --skip <why>)

The tests of the standard are npm's package promises-aplus-tests, which is
installed into the folder, once. What can't be had is skipped, and says so.
"""
import os
import pathlib
import shutil
import subprocess
import sys

PACKAGE = "promises-aplus-tests"
VERSION = "2.1.2"
ALL = "872 passing"


def run(command, addon, folder=None):
    environment = dict(os.environ, UVOW_ADDON=addon)
    return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=100,
                          env=environment, cwd=folder)


def report(number, name, run, right):
    print(f"{'ok' if right else 'not ok'} {number} - {name}")
    if not right:
        print("# exit status", run.returncode)
        print("".join(f"# {line}\n" for line in run.stdout.splitlines()))
    return not right


def installed(folder):
    """The package's folder, or why there's none."""
    package = folder / "node_modules" / PACKAGE
    if package.is_dir():
        return package, None
    npm = shutil.which("npm")
    if not npm:
        return None, "npm is not installed"
    folder.mkdir(exist_ok=True)
    got = run([npm, "install", "--no-save", "--no-audit", "--no-fund",
               "--prefix", str(folder), f"{PACKAGE}@{VERSION}"], "", folder)
    if got.returncode or not package.is_dir():
        return None, f"npm install {PACKAGE} fails here"
    return package, None


def main():
    scripts, expected, folder = (pathlib.Path(path).resolve()
                                 for path in sys.argv[1:4])
    node = shutil.which("node")
    why = sys.argv[5] if sys.argv[4] == "--skip" else None
    if not why and not node:
        why = "node is not installed"
    print("1..2")
    if why:
        print(f"ok 1 - a future is awaited # SKIP {why}")
        print(f"ok 2 - Promises/A+ # SKIP {why}")
        return 0
    addon = str(pathlib.Path(sys.argv[4]).resolve())
    got = run([node, str(scripts / "example.js")], addon)
    wrong = report(1, "a future is awaited", got,
                   got.returncode == 0 and got.stdout == expected.read_text())
    package, why = installed(folder)
    if why:
        print(f"ok 2 - Promises/A+ # SKIP {why}")
        return wrong
    got = run([node, str(scripts / "aplus.js"), str(package)], addon)
    wrong |= report(2, "Promises/A+", got,
                    got.returncode == 0 and ALL in got.stdout)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
