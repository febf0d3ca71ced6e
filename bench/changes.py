#!/usr/bin/env python3
"""What got slower between two records of bench/record.

usage: changes.py OLD NEW

Each of the numbers below is compared with the one of the same name, in the
section of the same question. Instructions and calls of malloc don't depend on
what else the machine does: 1 % is more than their noise. Rates and CPU do: they
are named from 20 % on, and say more about the machine if many of them are.
Exit status: 1 if something got slower.
"""
import re
import sys

LESS, MORE = -1, 1  # which is better
EXACT, TIMED = 0.01, 0.2  # noise, as part of the old value
LEAST = 0.01  # a difference that means something

# Section's heading -> rows that count (a pattern of their labels), and of each
# row its numbers: name, which is better, noise. None: not compared.
CALLS = [(f"{who}'s calls of {what}", LESS, EXACT)
         for who in ("the client", "the server")
         for what in ("uvow's allocator", "malloc")]
COUNT = [("instructions", LESS, EXACT)]
SECTIONS = (
    ("How many instructions does a request take", r".*", COUNT),
    ("What does a continuation cost|What does a future cost",
     r".*(each further then|new, then|the same; ).*", COUNT),
    ("How often is memory asked for", r".*", CALLS),
    ("How many requests a second does one connection answer", r".*(bytes|json)",
     [("requests/s", MORE, TIMED), None, None, ("CPU", LESS, TIMED)]),
    ("How many events a second", r"(answers|events)",
     [("a second", MORE, TIMED), ("CPU", LESS, TIMED)]),
    ("What does it cost a server to publish", r"peers \d+",
     [("CPU of one", LESS, TIMED), ("CPU in a burst", LESS, TIMED)]),
)
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?![\w.])")


def sections(text):
    """Heading -> its lines."""
    found = {}
    heading = None
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        found.setdefault(heading, []).append(line)
    return found


def row(line):
    """A line's label, and the numbers behind its last two spaces or bar."""
    line = line.strip().strip("|").strip()
    cells = re.split(r"\s*\|\s*|\s{2,}", line)
    numbers = []
    while cells and NUMBER.fullmatch(cells[-1]):
        numbers.insert(0, float(cells.pop().replace(",", "")))
    return " ".join(cells), numbers


def rows(lines, pattern):
    """(label, occurrence) -> numbers: "each further then" is there twice."""
    found = {}
    for line in lines:
        label, numbers = row(line)
        if not label and len(numbers) > 1:
            label = f"peers {numbers.pop(0):.0f}"
        if numbers and re.fullmatch(pattern, label):
            again = sum(1 for name, _ in found if name == label)
            found[label, again] = numbers
    return found


def slower(old, new, better, noise):
    worse = (new - old) * -better
    return worse > max(noise * abs(old), LEAST)


def compare(old, new):
    """Lines that say what got slower, and how many numbers were compared."""
    said, compared = [], 0
    before, after = sections(old), sections(new)
    for heading, pattern, columns in SECTIONS:
        for name in (n for n in after if n and re.search(heading, n)):
            now = rows(after[name], pattern)
            then = rows(before.get(name, []), pattern)
            for key in now.keys() & then.keys():
                for column, a, b in zip(columns, then[key], now[key]):
                    if column is None:
                        continue
                    compared += 1
                    if slower(a, b, *column[1:]):
                        said.append(f"{name} {key[0]}: {column[0]} "
                                    f"{a:g}, now {b:g}")
    return sorted(said), compared


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    texts = []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    said, compared = compare(*texts)
    for line in said:
        print(f"slower: {line}")
    print(f"{compared} numbers compared with the last record, "
          f"{len(said)} got slower by more than noise")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
