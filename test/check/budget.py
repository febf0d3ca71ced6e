#!/usr/bin/env python3
"""What a continuation and a request cost: instructions, which no busy machine
changes.

usage: budget.py <build directory>

The difference of two runs under callgrind leaves out what starting costs.
bench/future_chain.c, built with -O2 as a user would and linked with the
library, runs N and 2 N turns; the caller's own loop and callback are in the
count. `uvow bench` makes N and 2 N requests, with few in flight and with many;
what that takes is compared with what docs/explanation/performance.md states.
"""
import functools
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


def must_count():
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    if platform.machine() not in ("x86_64", "AMD64"):
        raise Skip("the budget is one of x86-64 instructions")


def over_budget(root, name):
    must_count()
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


DOC = "docs/explanation/performance.md"
STATED = re.compile(r"\*\*(\d+) instructions a request\*\*")
TIMES = re.compile(r"\*\*([\d.]+) times\*\* as many")
SLACK = 0.04  # another libc, another processor that valgrind shows it
REQUESTS = 10000
FEW, MANY = 64, 10000  # in flight


def started_server(uvow):
    """A server that runs until it's terminated, and its URL."""
    server = subprocess.Popen([str(uvow), "serve", "--port", "0"], text=True,
                              stdout=subprocess.PIPE)
    return server, re.search(r"ws://\S+", server.stdout.readline())[0]


def requests_take(uvow, url, in_flight, count):
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         str(uvow), "bench", "--url", url, "--inflight", str(in_flight),
         "--requests", str(count), "--line"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return int(re.search(r"Collected : (\d+)", run.stdout)[1])


@functools.lru_cache
def per_request(in_flight):
    uvow = pathlib.Path(sys.argv[1]).resolve() / "lib" / "command" / "uvow"
    server, url = started_server(uvow)
    try:
        few = requests_take(uvow, url, in_flight, 2 * REQUESTS)
        many = requests_take(uvow, url, in_flight, 4 * REQUESTS)
        return (many - few) / (2 * REQUESTS)
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def request(root):
    """No more than is stated; and not so much less that it's outdated."""
    must_count()
    text = (root / DOC).read_text(encoding="utf-8")
    stated = STATED.search(text)
    if not stated:
        return [f"{DOC}:1: states no instructions a request"]
    count = per_request(FEW)
    print(f"# {count:.0f} instructions a request, {stated[1]} are stated")
    if abs(count / int(stated[1]) - 1) <= SLACK:
        return []
    return [f"{DOC}:{text.count(chr(10), 0, stated.start()) + 1}: a request "
            f"takes {count:.0f} instructions, {stated[1]} are stated"]


def flat(root):
    """P3: a request costs the same however many are in flight."""
    must_count()
    stated = TIMES.search((root / DOC).read_text(encoding="utf-8"))
    if not stated:
        return [f"{DOC}:1: states no cost of requests among many"]
    times = per_request(MANY) / per_request(FEW)
    print(f"# with {MANY} in flight {times:.2f} times as many instructions as "
          f"with {FEW}")
    return [] if times <= float(stated[1]) else [
        f"{DOC}:1: with {MANY} in flight a request takes {times:.2f} times as "
        f"many instructions, {stated[1]} are stated"]


CHECKS = (shared_library, static_library, request, flat)
PLANTS = (
    Plant(shared_library, SOURCE, "l = 0; l <= length",
          replace="l = 0; l < length", expect="new, then, fulfill, run, free"),
    Plant(request, DOC, "0 instructions a request**",
          replace=" instructions a request**", expect="0 are stated"),
    Plant(flat, DOC, "**0.9 times** as many", replace="**1.05 times** as many",
          expect="0.9 are stated"),
)

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(CHECKS, PLANTS)
