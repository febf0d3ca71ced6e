#!/usr/bin/env python3
"""What a continuation costs: instructions, which no busy machine changes.

usage: budget.py <build directory>

bench/future_chain.c, built with -O2 as a user would and linked with the
library, runs N and 2 N turns under callgrind; the difference leaves out what
starting costs. The caller's own loop and callback are in the count.
"""
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

from house import Plant, Skip, main

TURNS = 2
CHAINS = 1000  # a turn: PER_TURN in the source

SOURCE = "bench/future_chain.c"
FIRST = 250  # new, then, fulfill, run, free
FURTHER = 160  # each further then


def compiled(root, library, where):
    program = pathlib.Path(where) / "future_chain"
    subprocess.run(
        [os.environ.get("CC", "gcc"), "-std=c11", "-O2",
         "-D_POSIX_C_SOURCE=200809L", '-DBENCH_DIR="."',
         f"-I{root / 'include'}", str(root / SOURCE), "-o", str(program),
         str(library), "-luv", f"-Wl,-rpath,{library.parent}"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return program


def collected(program, links, turns):
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         str(program), "--count", str(links), str(turns)],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True)
    return int(re.search(r"Collected : (\d+)", run.stdout)[1])


def per_chain(program, links):
    return (collected(program, links, 2 * TURNS)
            - collected(program, links, TURNS)) / (TURNS * CHAINS)


def over_budget(root, name):
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    if platform.machine() not in ("x86_64", "AMD64"):
        raise Skip("the budget is one of x86-64 instructions")
    library = pathlib.Path(sys.argv[1]).resolve() / "lib" / name
    with tempfile.TemporaryDirectory() as where:
        program = compiled(root, library, where)
        first = per_chain(program, 1)
        further = per_chain(program, 2) - first
    print(f"# {name}: {first:.0f} instructions, {further:.0f} for each "
          "further link")
    return [f"{SOURCE}:1: {what} takes {count:.0f} instructions with {name}, "
            f"{most} at the most"
            for what, count, most in (
                ("new, then, fulfill, run, free", first, FIRST),
                ("each further then", further, FURTHER)) if count > most]


def shared_library(root):
    """As most users link it."""
    return over_budget(root, "libuvow.so")


def static_library(root):
    return over_budget(root, "libuvow.a")


CHECKS = (shared_library, static_library)
PLANTS = (
    Plant(shared_library, SOURCE, "l = 0; l <= length",
          replace="l = 0; l < length", expect="new, then, fulfill, run, free"),
)

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(CHECKS, PLANTS)
