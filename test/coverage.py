#!/usr/bin/env python3
"""What of lib the tests reach, by gcov: `test/run --coverage` calls this.

usage: coverage.py BUILD [DOCUMENT]

Prints a table of rooms and the modules that have most left; with a document,
puts the table between its two marks. Branches: those of gcc's, each way of each
condition, without what it adds for exceptions (there are none in C).
"""
import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
MARKS = re.compile(r"(<!-- coverage -->\n).*?(<!-- end -->)", re.S)
Part = collections.namedtuple("Part", "lines lines_hit branches branches_hit")


def measured(build):
    """{source: {line: (hit, [branch hit])}} of lib, over all objects."""
    found = collections.defaultdict(dict)
    data = sorted(p.resolve() for p in (build / "lib").rglob("*.gcda"))
    with tempfile.TemporaryDirectory() as where:
        subprocess.run(["gcov", "-b", "-j", "-p", *map(str, data)], cwd=where,
                       check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        for path in pathlib.Path(where).glob("*.gcov.json.gz"):
            for file in json.loads(gzip.open(path).read())["files"]:
                name = re.sub(r".*?\blib/", "lib/", file["file"])
                if not re.fullmatch(r"lib/[a-z]+/\w+\.[ch]", name) \
                        or name.startswith("lib/command/"):
                    continue
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


def part(lines):
    branches = [b for _, some in lines.values() for b in some]
    return Part(len(lines), sum(hit for hit, _ in lines.values()),
                len(branches), sum(branches))


def row(name, p):
    def share(hit, all_):
        return f"{100 * hit / all_:.1f} %" if all_ else "-"
    return (f"| {name} | {p.lines} | {share(p.lines_hit, p.lines)} | "
            f"{p.branches} | {share(p.branches_hit, p.branches)} |")


def table(found):
    rooms = collections.defaultdict(list)
    for name, lines in found.items():
        rooms[name.split("/")[1]].append(part(lines))
    rows = {room: Part(*map(sum, zip(*parts)))
            for room, parts in sorted(rooms.items())}
    return "\n".join(
        ["| room | lines | reached | branches | taken |",
         "|---|---:|---:|---:|---:|"]
        + [row(f"`lib/{room}`", p) for room, p in rows.items()]
        + [row("all", Part(*map(sum, zip(*rows.values()))))]) + "\n"


def left(found, most=15):
    """The modules with most lines that no test reaches."""
    rest = {name: [n for n, (hit, _) in sorted(lines.items()) if not hit]
            for name, lines in found.items()}
    return [f"{name}: {' '.join(map(str, numbers))}"
            for name, numbers in sorted(rest.items(),
                                        key=lambda item: -len(item[1]))[:most]
            if numbers]


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    found = measured(pathlib.Path(sys.argv[1]).resolve())
    text = table(found)
    print(text)
    print("Lines that no test reaches:\n  " + "\n  ".join(left(found)))
    if len(sys.argv) == 3:
        document = pathlib.Path(sys.argv[2])
        document.write_text(MARKS.sub(lambda m: m[1] + text + m[2],
                                      document.read_text()))


if __name__ == "__main__":
    main()
