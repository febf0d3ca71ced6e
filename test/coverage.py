#!/usr/bin/env python3
"""What of lib the tests reach, by gcov: test/run calls this.

usage: coverage.py BUILD            prints the table and what isn't reached
       coverage.py BUILD --write    puts the table into docs/explanation/coverage.md
       coverage.py BUILD --check    TAP: not below the floor that stands there

BUILD has the objects that count (`ninja counted`), and what they counted when
their programs ran. Branches: gcc's, each way of each condition. Those of a line
that LEFT_OUT matches aren't looked at: a second pair of columns has them.
"""
import collections
import concurrent.futures
import gzip
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/explanation/coverage.md"
MARKS = re.compile(r"(<!-- coverage -->\n).*?(<!-- end -->)", re.S)
FLOOR = re.compile(r"at least \*\*([\d.]+) % of lines\*\* and "
                   r"\*\*([\d.]+) % of\s+branches\*\*")
# Whose other way never happens, or is another library's; coverage.md says why.
LEFT_OUT = re.compile(r"\bassert\(|\bjson_(array|object)_foreach\(|"
                      r"\bjson_is_[a-z]+\(|\bjson_(incref|decref)\(|"
                      r"\buvow__size_(add|mul)\(")
Part = collections.namedtuple("Part", "lines lines_hit branches branches_hit "
                                      "all_branches all_hit")


# ---- measured ----------------------------------------------------------------

def gcov(data):
    """What gcov says of these .gcda files: its files, as JSON has them."""
    with tempfile.TemporaryDirectory() as where:
        subprocess.run(["gcov", "-b", "-j", "-p", *map(str, data)], cwd=where,
                       check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return [file for path in pathlib.Path(where).glob("*.gcov.json.gz")
                for file in json.loads(gzip.open(path).read())["files"]]


def measured(build):
    """{source: {line: (hit, [branch hit])}} of lib, over all objects.

    An object that no program has touched has no .gcda: all of it is missed."""
    found = collections.defaultdict(dict)
    notes = sorted(p.resolve() for p in build.rglob("libuvow_counted.a.p/*.gcno"))
    if not notes:
        sys.exit(f"{build} has no objects that count: ninja counted")
    at_once = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for files in pool.map(gcov, [notes[i::4 * at_once]
                                     for i in range(4 * at_once)]):
            for file in files:
                name = re.sub(r".*?\blib/", "lib/", file["file"])
                if re.fullmatch(r"lib/[a-z]+/\w+\.[ch]", name):
                    for line in file["lines"]:
                        merge(found[name], line)
    return found


def merge(lines, line):
    """A header's line, or an inline function's, is in several objects."""
    branches = [b["count"] > 0 for b in line["branches"] if not b["throw"]]
    hit, before = lines.get(line["line_number"], (False, []))
    if len(before) == len(branches):
        branches = [a or b for a, b in zip(before, branches)]
    elif len(before) > len(branches):
        branches = before
    lines[line["line_number"]] = (hit or line["count"] > 0, branches)


def is_left_out(texts, number):
    return bool(LEFT_OUT.search(texts[number - 1]))


def texts_of(name):
    return (ROOT / name).read_text().splitlines()


def part(name, lines):
    texts = texts_of(name)
    every = [b for _, some in lines.values() for b in some]
    kept = [b for number, (_, some) in lines.items()
            if not is_left_out(texts, number) for b in some]
    return Part(len(lines), sum(hit for hit, _ in lines.values()),
                len(kept), sum(kept), len(every), sum(every))


def added(parts):
    return Part(*map(sum, zip(*parts)))


def rooms_of(found):
    rooms = collections.defaultdict(list)
    for name, lines in found.items():
        rooms[name.split("/")[1]].append(part(name, lines))
    return {room: added(parts) for room, parts in sorted(rooms.items())}


# ---- said --------------------------------------------------------------------

def share(hit, every):
    return 100 * hit / every if every else 100.0


def row(name, p):
    return (f"| {name} | {p.lines} | {share(p.lines_hit, p.lines):.1f} % | "
            f"{p.branches} | {share(p.branches_hit, p.branches):.1f} % | "
            f"{p.all_branches} | {share(p.all_hit, p.all_branches):.1f} % |")


def table(rooms):
    return "\n".join(
        ["| room | lines | reached | branches | taken | with those left out "
         "| taken |",
         "|---|---:|---:|---:|---:|---:|---:|"]
        + [row(f"`lib/{room}`", p) for room, p in rooms.items()]
        + [row("all", added(rooms.values()))]) + "\n"


def missed(name, lines):
    """A module's lines that no test reaches, and its branches not taken."""
    texts = texts_of(name)
    return ([n for n, (hit, _) in sorted(lines.items()) if not hit],
            [n for n, (hit, some) in sorted(lines.items())
             if hit and not all(some) and not is_left_out(texts, n)])


def left(found, room=""):
    """The modules, those that have most left first."""
    rest = [(name, *missed(name, lines)) for name, lines in found.items()
            if name.startswith(f"lib/{room}")]
    rest.sort(key=lambda one: (-len(one[1]), -len(one[2]), one[0]))
    return [f"{name}: lines {' '.join(map(str, lines)) or '-'}; "
            f"branches in {' '.join(map(str, branches)) or '-'}"
            for name, lines, branches in rest if lines or branches]


def check(found):
    """Prints TAP: a case for the lines, and one for the branches."""
    rooms = rooms_of(found)
    every = added(rooms.values())
    text = DOCUMENT.read_text()
    floor = FLOOR.search(text)
    if not floor:
        sys.exit(f"{DOCUMENT} states no floor: {FLOOR.pattern}")
    print("1..2")
    for n, (what, now) in enumerate([
            ("lines", share(every.lines_hit, every.lines)),
            ("branches", share(every.branches_hit, every.branches))]):
        least = float(floor[n + 1])
        good = now >= least
        print(f"{'' if good else 'not '}ok {n + 1} - {what}: {now:.2f} %, "
              f"at least {least} %")
        if good:
            continue
        print("\n".join("# " + line for line in table(rooms).splitlines()))
        for room, p in rooms.items():
            if row(f"`lib/{room}`", p) not in text:
                print("\n".join("# " + line for line in left(found, room + "/")))


def main():
    how = sys.argv[2] if len(sys.argv) == 3 else None
    if len(sys.argv) not in (2, 3) or how not in (None, "--write", "--check"):
        sys.exit(__doc__)
    found = measured(pathlib.Path(sys.argv[1]).resolve())
    if how == "--check":
        check(found)
        return
    text = table(rooms_of(found))
    if how == "--write":
        print("1..1\nok 1 - written")
    print(text)
    print("\n".join(left(found)))
    if how == "--write":
        DOCUMENT.write_text(MARKS.sub(lambda m: m[1] + text + m[2],
                                      DOCUMENT.read_text()))


if __name__ == "__main__":
    main()
