#!/usr/bin/env python3
"""docs/build makes a site and manual pages in which nothing is missing."""
import functools
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from house import Plant, ROOT, Skip, main
from symbols import declarations


def must_generate():
    if not shutil.which("doxygen"):
        raise Skip("doxygen is not installed")
    if subprocess.run([sys.executable, "-c", "import markdown"],
                      stderr=subprocess.DEVNULL).returncode:
        raise Skip("python3-markdown is not installed")


def generated(root, where):
    """What the generator says is wrong."""
    done = subprocess.run(
        [sys.executable, "-B", str(root / "docs/site/generate.py"), str(where)],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return [] if done.returncode == 0 else done.stderr.splitlines() or ["?"]


def site(root):
    """No link leads nowhere, and nothing public is without a docstring."""
    must_generate()
    with tempfile.TemporaryDirectory() as where:
        return generated(root, where)


@functools.lru_cache
def built(keep):
    return generated(ROOT, keep.name)


KEEP = tempfile.TemporaryDirectory()


def texts_hold_no_comments(root):
    """No comment begins within a text of C, as that of "ws://"."""
    must_generate()
    built(KEEP)
    wrong = []
    for page in pathlib.Path(KEEP.name).glob("site/**/*.html"):
        for line in page.read_text(encoding="utf-8").splitlines():
            before, span, _ = line.partition('<span class="comment">')
            text = re.sub(r"<[^>]*>|\\.", "", before)
            if span and text.count('"') % 2:
                wrong.append(f"{page.name}: {text.strip()}")
    return wrong


def everything_is_in_it(root):
    """Each function has a manual page and a place in the reference."""
    must_generate()
    built(KEEP)
    where = pathlib.Path(KEEP.name)
    wrong = []
    for path, line, kind, name, _ in declarations(root):
        page = where / "site" / "reference" / f"{path.name}.html"
        names = (name, f"{name}_t")  # a struct goes by its typedef
        if not page.exists() or not any(f'id="{n}"' in page.read_text()
                                        for n in names):
            wrong.append(f"{path}:{line}: {name} isn't in the reference")
        if kind != "type" and not name.startswith("uvow_type_") and not (
                where / "man/man3" / f"{name}.3").exists():
            wrong.append(f"{path}:{line}: {name} has no manual page")
    return wrong


def manual_pages_are_read(root):
    """groff has nothing to say about them."""
    if not shutil.which("groff"):
        raise Skip("groff is not installed")
    must_generate()
    built(KEEP)
    pages = sorted(pathlib.Path(KEEP.name).glob("man/man3/uvow-*.3"))
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z",
                           *map(str, pages)], text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return done.stderr.splitlines()


def search_finds(root):
    """In a browser, from a file, without a server."""
    browser = shutil.which("chromium")
    if not browser:
        raise Skip("chromium is not installed")
    must_generate()
    built(KEEP)
    page = pathlib.Path(KEEP.name) / "site" / "index.html"
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [browser, "--headless=new", "--no-sandbox", "--disable-gpu",
             f"--user-data-dir={profile}", "--virtual-time-budget=3000",
             "--dump-dom", f"{page.as_uri()}?q=uvow_future_then"],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=60)
    found = re.search(r'<ul id="found">(.*?)</ul>', done.stdout, re.S)
    if found and "future.h.html#uvow_future_then" in found[1]:
        return []
    return [f"uvow_future_then isn't found: {found and found[1][:300]}"]


CHECKS = (site, everything_is_in_it, texts_hold_no_comments,
          manual_pages_are_read, search_finds)
BASE = "include/uvow/base.h"
PLANTS = (
    Plant(site, "docs/planted.md", "# Planted\n\n[x](howto/tls.md#nowhere)\n",
          expect="there is no such place"),
    Plant(site, BASE, "/** Undocumented options. */\n"
          "typedef struct uvow_planted_options {\n  size_t size;\n"
          "  int planted;\n} uvow_planted_options_t;\n",
          expect="planted has no docstring"),
)

if __name__ == "__main__":
    main(CHECKS, PLANTS)
