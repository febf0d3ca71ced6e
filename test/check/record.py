#!/usr/bin/env python3
"""What bench/record says of two records: only what got slower.

Plants are worse numbers in docs/explanation/results.md: more instructions by
more than 1 %, calls of malloc, a rate that fell; and no better one is said. And
README's table is one that bench/compare can write.
"""
import pathlib
import sys

from house import ROOT, Plant, main

sys.path.insert(0, str(ROOT / "bench"))
import changes  # noqa: E402
import compare  # noqa: E402

RESULTS = "docs/explanation/results.md"


def record(root):
    """A record compared with the last one, which is the tree's own."""
    last = (ROOT / RESULTS).read_text(encoding="utf-8")
    said, compared = changes.compare(
        last, (root / RESULTS).read_text(encoding="utf-8"))
    if compared < 40:
        said.append(f"{RESULTS}:1: only {compared} numbers are compared")
    return said


def better(root):
    """What got faster isn't said."""
    text = (pathlib.Path(root) / RESULTS).read_text(encoding="utf-8")
    said, _ = changes.compare(text.replace("| bytes | ", "| bytes | 9"), text)
    return said


def readme(root):
    """README's table is written anew, whole, and again."""
    text = (root / "README.md").read_text(encoding="utf-8")
    runs = {name: [{"rps": rate, "cpu_us": 2e6 / rate, "p50_us": 1, "p99_us": 1,
                    "requests": 1}]
            for name, rate in (("bun", 60000.0), ("uvow", 2400000.0))}
    part = compare.readme_part({64: compare.summed_up(runs),
                                1024: compare.summed_up(runs)}, "lean", "here")
    try:
        once = compare.with_part(text, part)
    except ValueError as error:
        return [f"README.md:1: {error}"]
    rows = ("| **uvow**: params and results as bytes, a future each "
            "| 2,400,000 | 0.83 |  |\n| bun: Bun's own WebSocket, promises "
            "| 60,000 | 33.33 | 40.00x |\n\n")
    if rows not in once or compare.with_part(once, part) != once:
        return ["README.md:1: the table isn't what bench/compare says"]
    lost = [line for line in text.splitlines()
            if line.startswith("#") and line not in once]
    return [f"README.md:1: lost: {line}" for line in lost]


CHECKS = (record, better, readme)
PLANTS = (
    Plant(record, RESULTS, "| bytes | 9", replace="| bytes | ",
          expect="bytes: instructions"),
    Plant(record, RESULTS, "bytes, 64 B            0.5",
          replace="bytes, 64 B            0.0", expect="calls of uvow"),
    Plant(record, RESULTS, "## Another question", expect="numbers are compared",
          replace="## How often is memory asked for"),
    Plant(readme, "README.md", "`bench/other", replace="`bench/compare",
          expect="has no place"),
)

if __name__ == "__main__":
    main(CHECKS, PLANTS)
