"""What the checks share: the tree, C without its comments, TAP, and plants.

A check is a function of a root directory that returns the violations it finds,
each a line "path:line: what". A plant is a violation put into a copy of the
tree, which the check must then report: so that no check is blind.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
IGNORED = (".git", ".build", "__pycache__")


def files(root):
    """Every file of the project, as paths relative to root."""
    if (root / ".git").exists() and shutil.which("git"):
        run = subprocess.run(
            ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=root,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if run.returncode == 0:
            names = {n for n in run.stdout.decode().split("\0") if n}
            return sorted(pathlib.PurePath(n) for n in names
                          if (root / n).is_file())
    return sorted(p.relative_to(root) for p in root.rglob("*")
                  if p.is_file() and not
                  set(p.relative_to(root).parts) & set(IGNORED)
                  and not p.relative_to(root).parts[0].startswith("build"))


def sources(root, *tops, suffixes=(".c", ".h")):
    """The C files below these top directories."""
    return [p for p in files(root)
            if p.parts[0] in tops and p.suffix in suffixes]


def read(root, path):
    return (root / path).read_text(encoding="utf-8", errors="replace")


TOKEN = re.compile(
    r"//(?:\\\n|[^\n])*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
    re.S)


def without_comments(text, strings=True):
    """C with its comments blanked, and its strings too; lines stay lines."""
    def blank(found):
        token = found[0]
        if token[0] in "\"'":
            if not strings:
                return token
            return token[0] + " " * (len(token) - 2) + token[0]
        return re.sub(r"[^\n]", " ", token)
    return TOKEN.sub(blank, text)


def includes(text):
    """(line, name, is_system) for each #include."""
    for number, line in enumerate(
            without_comments(text, strings=False).splitlines(), 1):
        found = re.match(r"\s*#\s*include\s*(<([^>]+)>|\"([^\"]+)\")", line)
        if found:
            yield number, found[2] or found[3], found[2] is not None


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def copy_of(root, where):
    for path in files(root):
        (where / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, where / path)


class Plant:
    """Appends text to a file (new or old), or replaces in it."""

    def __init__(self, check, path, text, expect=None, replace=None):
        self.check, self.path, self.text = check, path, text
        self.expect, self.replace = expect or path, replace

    def put(self, root):
        path = root / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.old = path.read_bytes() if path.exists() else None
        old = (self.old or b"").decode("utf-8", "surrogateescape")
        if self.replace is None:
            new = old + self.text
        else:
            assert self.replace in old, f"{self.replace!r} not in {self.path}"
            new = old.replace(self.replace, self.text, 1)
        path.write_text(new, encoding="utf-8", errors="surrogateescape")

    def take_back(self, root):
        if self.old is None:
            (root / self.path).unlink()
        else:
            (root / self.path).write_bytes(self.old)


class Skip(Exception):
    pass


def result(number, name, call):
    try:
        wrong = call()
    except Skip as why:
        print(f"ok {number} - {name} # SKIP {why}", flush=True)
        return True
    except Exception:
        wrong = traceback.format_exc().splitlines()
    print(("not " if wrong else "") + f"ok {number} - {name}")
    for line in wrong[:100]:
        print("# " + line)
    if len(wrong) > 100:
        print(f"# and {len(wrong) - 100} more")
    sys.stdout.flush()
    return not wrong


def blind(root, plant):
    """What is said when the check doesn't report the plant."""
    plant.put(root)
    try:
        found = plant.check(root)
    finally:
        plant.take_back(root)
    if any(plant.expect in line for line in found):
        return []
    return [f"not reported: {plant.text.strip()[:200]!r} in {plant.path}",
            f"expected {plant.expect!r} in:"] + found[:20]


def main(checks, plants):
    """Runs the checks on the project and the plants in a copy of it."""
    print(f"1..{len(checks) + len(plants)}")
    right = True
    for number, check in enumerate(checks, 1):
        name = check.__name__.replace("_", " ")
        right &= result(number, name, lambda: check(ROOT))
    with tempfile.TemporaryDirectory() as where:
        copy = pathlib.Path(where)
        if plants:
            copy_of(ROOT, copy)
        for number, plant in enumerate(plants, len(checks) + 1):
            name = (f"{plant.check.__name__.replace('_', ' ')} sees "
                    f"{ascii(' '.join(plant.text.split())[:40])}")
            right &= result(number, name, lambda: blind(copy, plant))
    sys.exit(0 if right else 1)
