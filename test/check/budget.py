#!/usr/bin/env python3
"""What a continuation and a request cost: instructions, which no busy machine
changes.

usage: budget.py <build directory>

The difference of two runs under callgrind leaves out what starting costs.
bench/future_chain.c, built with -O2 as a user would and linked with the
library, runs N and 2 N turns; the caller's own loop and callback are in the
count. `uvow bench` makes N and 2 N requests, with few in flight and with many;
`uvow serve` answers them; bench/events.c, stream.c and await.c read events and
items, and await; bench/destructors.c has links with data. What that takes is
compared with what docs/explanation/performance.md states. bench/bridges.c makes
a call of libuv's with its callback and as a future: the difference is limited.
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


def compiled(root, libraries, where, *sources):
    program = pathlib.Path(where) / "program"
    subprocess.run(
        [os.environ.get("CC", "gcc"), "-std=c11", "-O2",
         "-D_POSIX_C_SOURCE=200809L", '-DBENCH_DIR="."',
         f"-I{root / 'include'}", *(str(root / s) for s in sources), "-o",
         str(program), *(str(library) for library in libraries),
         "-luv", "-ljansson", f"-Wl,-rpath,{libraries[0].parent}"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return program


def counted(command):
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         *command], check=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    return int(re.search(r"Collected : (\d+)", run.stdout)[1])


def collected(program, *args):
    return counted([str(program), "--count", *(str(arg) for arg in args)])


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
        program = compiled(root, [library], where, SOURCE)
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
    return over_budget(root, "libuvow_futures.so")


def static_library(root):
    return over_budget(root, "libuvow_futures.a")


DOC = "docs/explanation/performance.md"
STATED = r"\*\*(\d+)\sinstructions\s%s\*\*"
TIMES = re.compile(r"\*\*([\d.]+) times\*\* as many")
SLACK = 0.04  # another libc, another processor that valgrind shows it
REQUESTS = 10000
FEW, MANY = 64, 10000  # in flight


def started_server(uvow):
    """A server that runs until it's terminated, and its URL."""
    server = subprocess.Popen([str(uvow), "serve", "--port", "0"], text=True,
                              stdout=subprocess.PIPE)
    return server, re.search(r"ws://\S+", server.stdout.readline())[0]


def client(uvow, url, in_flight, count):
    return [str(uvow), "bench", "--url", url, "--inflight", str(in_flight),
            "--requests", str(count), "--line"]


def requests_take(uvow, url, in_flight, count):
    return counted(client(uvow, url, in_flight, count))


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


MEASURED = {}


def stated_as(root, what, measure):
    """No more than is stated; and not so much less that it's outdated."""
    must_count()
    text = (root / DOC).read_text(encoding="utf-8")
    stated = re.search(STATED % re.escape(what), text)
    if not stated:
        return [f"{DOC}:1: states no instructions {what}"]
    if what not in MEASURED:  # a plant changes no more than the page
        MEASURED[what] = measure(root)
    count = MEASURED[what]
    print(f"# {count:.0f} instructions {what}, {stated[1]} are stated")
    if abs(count / int(stated[1]) - 1) <= SLACK:
        return []
    line = text.count("\n", 0, stated.start()) + 1
    return [f"{DOC}:{line}: {count:.0f} instructions {what}, "
            f"{stated[1]} are stated"]


def request(root):
    return stated_as(root, "a request", lambda root: per_request(FEW))


def per_answer(root):
    """Of the server; its clients aren't counted."""
    uvow = pathlib.Path(sys.argv[1]).resolve() / "lib" / "command" / "uvow"
    totals = []
    for count in (2 * REQUESTS, 4 * REQUESTS):
        server = subprocess.Popen(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
             str(uvow), "serve", "--port", "0"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        url = re.search(r"ws://\S+", server.stdout.readline())[0]
        subprocess.run(client(uvow, url, FEW, count), check=True,
                       stdout=subprocess.DEVNULL)
        server.terminate()
        said = server.communicate()[1]
        totals.append(int(re.search(r"Collected : (\d+)", said)[1]))
    return (totals[1] - totals[0]) / (2 * REQUESTS)


def answer(root):
    return stated_as(root, "an answer", per_answer)


def difference(root, sources, per_turn, turns, *what):
    """Of a benchmark's --count, for each of what a turn has."""
    where = pathlib.Path(sys.argv[1]).resolve() / "lib"
    libraries = [where / "libuvow.so", where / "libuvow_futures.so"]
    with tempfile.TemporaryDirectory() as directory:
        program = compiled(root, libraries, directory, *sources)
        return (collected(program, *what, 2 * turns)
                - collected(program, *what, turns)) / (turns * per_turn)


EVENTS = ("bench/events.c", "bench/bed.c", "bench/bare.c")


def event(root):
    return stated_as(root, "an event", lambda root: difference(
        root, EVENTS, 1, 20000))


def item(root):
    return stated_as(root, "an item", lambda root: difference(
        root, ["bench/stream.c"], 1000, 20, "each"))


ITEM_MOST = 1.5  # continuations


def item_in_links(root):
    """S6: an item, beside a further continuation of the same program."""
    must_count()
    each, then, none = (difference(root, ["bench/stream.c"], 1000, 20, what)
                        for what in ("each", "then", "none"))
    times = (each - none) / (then - none)
    print(f"# an item takes {times:.2f} times the instructions of a link")
    return [] if times <= ITEM_MOST else [
        f"bench/stream.c:1: an item takes {times:.2f} times the instructions "
        f"of a link, {ITEM_MOST} at the most"]


def await_(root):
    return stated_as(root, "an await", lambda root: difference(
        root, ["bench/await.c"], 200, 50, 2))


MANY_SUBSCRIPTIONS = 10000
SUBSCRIBED = re.compile(r"\*\*([\d.]+) times\*\* the instructions")


def subscriptions(root):
    """R11: an event costs the same however many subscriptions there are."""
    must_count()
    stated = SUBSCRIBED.search((root / DOC).read_text(encoding="utf-8"))
    if not stated:
        return [f"{DOC}:1: states no cost of events among many subscriptions"]
    if "subscriptions" not in MEASURED:
        one, many = (difference(root, ["bench/subscriptions.c"], 1000, 10,
                                count) for count in (1, MANY_SUBSCRIPTIONS))
        MEASURED["subscriptions"] = many / one
    times = MEASURED["subscriptions"]
    print(f"# among {MANY_SUBSCRIPTIONS} subscriptions an event takes "
          f"{times:.2f} times the instructions")
    return [] if times <= float(stated[1]) else [
        f"{DOC}:1: among {MANY_SUBSCRIPTIONS} subscriptions an event takes "
        f"{times:.2f} times the instructions, {stated[1]} are stated"]


BRIDGES = "bench/bridges.c"
BRIDGE_MOST = 600  # more than libuv's own call


def bridges(root):
    """A cached read and a piece of work, beside the raw calls."""
    must_count()
    os.environ["UV_THREADPOOL_SIZE"] = "1"  # else threads wake each other
    wrong = []
    for name, raw in (("uvow_fs_read", 0), ("uvow_work", 2)):
        bare, future = (difference(root, [BRIDGES], 100, 20, mode)
                        for mode in (raw, raw + 1))
        print(f"# {name} takes {future - bare:.0f} instructions more than "
              f"libuv's {bare:.0f}")
        if future - bare > BRIDGE_MOST:
            wrong.append(f"{BRIDGES}:1: {name} takes {future - bare:.0f} "
                         f"instructions more, {BRIDGE_MOST} at the most")
    return wrong


def destroyed_link(root):
    return stated_as(root, "a link with a destructor", lambda root: difference(
        root, ["bench/destructors.c"], 1000, 20, "link"))


def owning_link(root):
    return stated_as(root, "a link that owns data", lambda root: difference(
        root, ["bench/destructors.c"], 1000, 20, "own"))


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


CHECKS = (shared_library, static_library, request, answer, event, item,
          item_in_links, await_, subscriptions, bridges, destroyed_link,
          owning_link, flat)
PLANTS = (
    Plant(shared_library, SOURCE, "l = 0; l <= length",
          replace="l = 0; l < length", expect="new, then, fulfill, run, free"),
    Plant(request, DOC, "0 instructions a request**",
          replace=" instructions a request**", expect="0 are stated"),
    Plant(answer, DOC, "0 instructions an answer**",
          replace=" instructions an answer**", expect=" are stated"),
    Plant(event, DOC, "0 instructions an event**",
          replace=" instructions an event**", expect=" are stated"),
    Plant(item, DOC, "0 instructions an item**",
          replace=" instructions an item**", expect=" are stated"),
    Plant(item_in_links, "bench/stream.c", "else if (chains && i % 2)",
          replace="else if (chains)", expect="of a link"),
    Plant(await_, DOC, "0 instructions an await**",
          replace=" instructions an await**", expect=" are stated"),
    Plant(subscriptions, DOC, "**0.9 times** the instructions",
          replace="**1.1 times** the instructions", expect="0.9 are stated"),
    Plant(bridges, BRIDGES,
          "uvow_future_then(uvow_future_then(uvow_future_then(f, NULL, NULL), "
          "NULL, NULL), on_read", replace="uvow_future_then(f, on_read",
          expect="uvow_work takes"),
    Plant(destroyed_link, DOC, "**2550", replace="**255",
          expect=" are stated"),
    Plant(owning_link, DOC, "**4730", replace="**473", expect=" are stated"),
    Plant(flat, DOC, "**0.9 times** as many", replace="**1.05 times** as many",
          expect="0.9 are stated"),
)

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(CHECKS, PLANTS)
