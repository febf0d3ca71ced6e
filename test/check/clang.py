#!/usr/bin/env python3
"""The tests of uvow.hpp, compiled by clang++ and run: with exceptions and
without, on libuvow_futures alone.

usage: clang.py <program.cpp> <include> <library folder> (<clang++> | --skip <why>)
"""
import os
import pathlib
import subprocess
import sys
import tempfile

MODES = ("-fexceptions", "-fno-exceptions")
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic",
          "-Werror")


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=300, **more)


def tested(compiler, source, include, libraries, mode):
    with tempfile.TemporaryDirectory() as where:
        program = pathlib.Path(where) / "program"
        made = run([compiler, "-std=c++20", "-g", mode, *STRICT, "-I", include,
                    source, "-o", str(program), "-L", libraries,
                    "-luvow_futures", "-luv", f"-Wl,-rpath,{libraries}"])
        if made.returncode:
            return made
        return run([str(program)], env=dict(os.environ))


def main():
    source, include, libraries, compiler = sys.argv[1:5]
    print(f"1..{len(MODES)}")
    failed = 0
    for number, mode in enumerate(MODES, 1):
        if compiler == "--skip":
            print(f"ok {number} - {mode} # SKIP {sys.argv[5]}")
            continue
        done = tested(compiler, source, include, libraries, mode)
        failed += done.returncode != 0
        print(f"{'not ' if done.returncode else ''}ok {number} - {mode}")
        if done.returncode:
            print("".join(f"# {line}\n" for line in done.stdout.splitlines()))
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
