#!/usr/bin/env python3
"""What the documents show is what is compiled, and what they link to exists."""
import re

from house import Plant, files, line_of, main, read, sources

FROM = re.compile(r"<!-- from (\S+): (\w+) -->\n```c\n(.*?)```", re.S)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def documents(root):
    return [p for p in files(root) if p.suffix == ".md"]


def snippet(root, path, name):
    """What stands between two lines that name it, or None."""
    if not (root / path).is_file():
        return None
    parts = re.split(rf"^/\* \[{name}\] \*/\n", read(root, path), flags=re.M)
    return parts[1] if len(parts) == 3 else None


def code_is_compiled(root):
    """Each C block comes from an example, to the letter."""
    wrong = []
    for path in documents(root):
        text = read(root, path)
        known = set()
        for found in FROM.finditer(text):
            known.add(text.index("```c\n", found.start()))
            if snippet(root, found[1], found[2]) != found[3]:
                wrong.append(f"{path}:{line_of(text, found.start())}: is not "
                             f"what {found[1]} has as {found[2]}")
        wrong += [f"{path}:{line_of(text, found.start())}: C from nowhere"
                  for found in re.finditer(r"```c\n", text)
                  if found.start() not in known]
    return wrong


def links_lead_somewhere(root):
    wrong = []
    for path in documents(root):
        text = read(root, path)
        for found in LINK.finditer(text):
            if "://" in found[1]:
                continue
            if not (root / path.parent / found[1]).exists():
                wrong.append(f"{path}:{line_of(text, found.start())}: "
                             f"{found[1]} isn't there")
    return wrong


TAG = re.compile(r"\((?:contracts? )?([BEFPQRSTWX]\d{1,2}(?:, [BEFPQRSTWX]\d{1,2})*)\)"
                 r"|\bcontracts? ([BEFPQRSTWX]\d{1,2})\b|/\* ([BEFPQRSTWX]\d{1,2})[:.]")


def tags_can_be_looked_up(root):
    """A contract that a comment names stands in contracts.md."""
    wrong = []
    known = set(re.findall(r"^\*\*([BEFPQRSTWX]\d{1,2})\.",
                           read(root, "docs/explanation/contracts.md"), re.M))
    for path in sources(root, "lib", "include", "test", "bench"):
        text = read(root, path)
        for found in TAG.finditer(text):
            for tag in (found[1] or found[2] or found[3]).split(", "):
                if tag not in known:
                    wrong.append(f"{path}:{line_of(text, found.start())}: "
                                 f"{tag} isn't in contracts.md")
    return wrong


CHECKS = (code_is_compiled, links_lead_somewhere, tags_can_be_looked_up)
PLANTS = (
    Plant(code_is_compiled, "docs/planted.md", "```c\nint a;\n```\n"),
    Plant(code_is_compiled, "README.md", "f = uvow_future_than(f",
          replace="f = uvow_future_then(f"),
    Plant(code_is_compiled, "docs/planted.md",
          "<!-- from docs/examples/none.c: a -->\n```c\n```\n"),
    Plant(tags_can_be_looked_up, "lib/base/buf.c", "/* See (F99). */\n"),
    Plant(links_lead_somewhere, "README.md", "see [x](docs/planted.md)\n"),
    Plant(links_lead_somewhere, "docs/planted.md", "[x](../nothing.c#a)\n"),
)

if __name__ == "__main__":
    main(CHECKS, PLANTS)
