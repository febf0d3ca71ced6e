#!/usr/bin/env python3
"""Sizes: files up to 600 lines, functions up to 60, nested up to 3 deep."""
import re

from house import Plant, line_of, main, read, sources, without_comments

FILE_LINES = 600
FUNCTION_LINES = 60
NESTING = 3
EVERYWHERE = ("lib", "include", "test", "bench", "docs")


def first_branches(code):
    """Without directives, and of #if ... #else ... only the first branch."""
    lines, skipping, continued = [], [], False
    for line in code.split("\n"):
        directive = re.match(r"\s*#\s*(\w+)", line)
        word = directive[1] if directive and not continued else None
        if word in ("if", "ifdef", "ifndef"):
            skipping.append(False)
        elif word in ("else", "elif") and skipping:
            skipping[-1] = True
        elif word == "endif" and skipping:
            skipping.pop()
        drop = continued or word or any(skipping)
        continued = bool(continued or word) and line.endswith("\\")
        lines.append("" if drop else line)
    return "\n".join(lines)


def tokens(code):
    return [(found[0], found.start())
            for found in re.finditer(r"\w+|[{}();:?]|\S", code)]


class Parser:
    """Just enough of C's statements to know how deep they nest."""

    def __init__(self, toks, at):
        self.toks, self.at, self.deepest, self.deepest_at = toks, at, 0, 0

    def word(self):
        return self.toks[self.at][0] if self.at < len(self.toks) else "}"

    def parens(self):
        """Past a balanced ( ... )."""
        depth = 0
        while self.at < len(self.toks):
            depth += {"(": 1, ")": -1}.get(self.word(), 0)
            self.at += 1
            if depth == 0:
                return

    def block(self, depth):
        self.at += 1
        while self.word() != "}":
            self.statement(depth)
        self.at += 1

    def enter(self, depth):
        if depth > self.deepest and self.at < len(self.toks):
            self.deepest, self.deepest_at = depth, self.toks[self.at][1]

    def statement(self, depth):
        word = self.word()
        if word == "{":
            self.block(depth)
        elif word in ("if", "for", "while", "switch"):
            self.enter(depth + 1)
            self.at += 1
            self.parens()
            self.statement(depth + 1)
            if word == "if":
                self.otherwise(depth)
        elif word == "do":
            self.enter(depth + 1)
            self.at += 1
            self.statement(depth + 1)
            self.simple()
        else:
            self.simple()

    def otherwise(self, depth):
        if self.word() != "else":
            return
        self.at += 1
        # else if is one more case, not one level more.
        self.statement(depth if self.word() == "if" else depth + 1)

    def simple(self):
        """Past the next ; or label, or up to the end of the block."""
        depth, asked = 0, 0
        first = self.at
        label = self.word() in ("case", "default")
        while self.at < len(self.toks):
            word = self.word()
            if word == "}" and depth == 0:
                return
            depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(word, 0)
            asked += word == "?"
            self.at += 1
            if depth == 0 and word == ";":
                return
            if depth == 0 and word == ":":
                if asked:
                    asked -= 1
                elif label or self.at - first == 2:
                    return


def functions(code):
    """(name, start, end, parser) for each function body of a file."""
    toks = tokens(code)
    at, last_name, before = 0, None, []
    while at < len(toks):
        word = toks[at][0]
        if word == "{":
            if before and before[-1] == ")":
                parser = Parser(toks, at)
                parser.block(0)
                end = toks[min(parser.at, len(toks)) - 1][1]
                yield last_name, toks[start][1], end, parser
                at = parser.at
                before = []
                continue
            if before[:1] != ["extern"]:  # a struct, an initialiser
                depth = 0
                while at < len(toks):
                    depth += {"{": 1, "}": -1}.get(toks[at][0], 0)
                    at += 1
                    if depth == 0:
                        break
                before.append("}")
                continue
            before = []
        elif word in (";", "}"):
            before = []
        else:
            if not before:
                start = at
            if word == "(" and "(" not in before:
                last_name = before[-1] if before else "?"
            before.append(word)
        at += 1


def bodies(root, *tops):
    for path in sources(root, *tops):
        code = first_branches(without_comments(read(root, path)))
        for name, start, end, parser in functions(code):
            first = line_of(code, start)
            yield path, code, name, first, line_of(code, end), parser


def file_lines(root):
    wrong = []
    for path in sources(root, *EVERYWHERE):
        count = read(root, path).count("\n")
        if count > FILE_LINES:
            wrong.append(f"{path}:{count}: {count} lines, at most "
                         f"{FILE_LINES}")
    return wrong


def function_lines(root):
    return [f"{path}:{first}: {name} has {last - first + 1} lines, at most "
            f"{FUNCTION_LINES}"
            for path, _, name, first, last, _ in bodies(root, *EVERYWHERE)
            if last - first + 1 > FUNCTION_LINES]


def nesting(root):
    return [f"{path}:{line_of(code, parser.deepest_at)}: {name} nests "
            f"{parser.deepest} levels, at most {NESTING}"
            for path, code, name, _, _, parser in bodies(root, "lib",
                                                         "include")
            if parser.deepest > NESTING]


DEEP = """
int planted(int a) {
  for (;;)
    while (a)
      if (a == 1)
        return 1;
      else if (a == 2)
        %s
}
"""
CHECKS = (file_lines, function_lines, nesting)
PLANTS = (
    Plant(file_lines, "lib/base/planted.c", "/* x */\n" * (FILE_LINES + 1)),
    Plant(function_lines, "lib/base/buf.c",
          "\nint planted(void) {\n" + "  a();\n" * (FUNCTION_LINES - 1)
          + "}\n", expect="planted has 61 lines"),
    Plant(function_lines, "include/uvow/error.h",
          '\nextern "C" {\nstatic inline int planted(void) {\n'
          + "  a();\n" * FUNCTION_LINES + "}\n}\n", expect="planted has"),
    Plant(nesting, "lib/base/buf.c", DEEP % "do { a = 0; } while (a);",
          expect="planted nests 4"),
    Plant(nesting, "lib/wire/planted.c",
          DEEP % "switch (a) { default: break; }", expect="planted nests 4"),
    Plant(nesting, "lib/wire/planted.c",
          "int planted(int a)\n{\n  if (a) {\n    switch (a) {\n    case 1:\n"
          "      if (x ? y : z) { q = (t){1}; if (b) return 2; }\n    }\n  }\n"
          "}\n", expect="planted nests 4"),
)

if __name__ == "__main__":
    main(CHECKS, PLANTS)
