#!/usr/bin/env python3
"""Generates the documentation: a static site, and manual pages.

usage: generate.py DIRECTORY

site/ has every .md file of the project, the examples, and a page for each
public header; man/man3/ has a page for each header and a link for each
function. doxygen reads the headers and python3-markdown the documents: both are
kept, in Debian, and do the parsing; the pages, the search and the check of the
links are these few files. Exits with 1 where a link leads nowhere or where
something public has no docstring.
"""
import html
import html.parser
import json
import os
import pathlib
import re
import shutil
import sys

import markdown

import headers as api
import man

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GROUPS = (("Start", ("README.md", "docs/tutorial")), ("How to", ("docs/howto",)),
          ("Why", ("docs/explanation",)),
          ("Project", ("CHANGELOG.md", "docs/SECURITY.md",
                       "docs/CONTRIBUTING.md", "docs/reference/protocols")))
# Texts that documents link to, shown as they are.
SHOWN = (".c", ".cpp", ".js", ".json", ".h", ".hpp", ".py", ".out", "")
# A comment; what looks like one within a text is none.
C_COMMENT = re.compile(r'(/\*.*?\*/|//[^\n]*)|"(?:\\.|[^"\\\n])*"', re.S)


class Site:
    """All pages: their titles, places and bodies, before they're written."""

    def __init__(self, where):
        self.where = where
        self.pages = {}  # place: (title, body)
        self.copies = {}  # place: path of what is copied
        self.index = []
        self.anchors = {}  # a public name: its place
        self.wrong = []
        self.version = re.search(
            r'UVOW_VERSION_STRING "(.*)"',
            (ROOT / "include/uvow/base.h").read_text())[1]

    # ---- places --------------------------------------------------------

    @staticmethod
    def place(path):
        """Where a file of the project is on the site."""
        if path == "README.md":
            return "index.html"
        if path.endswith(".md"):
            return path.removeprefix("docs/")[:-3] + ".html"
        return path.removeprefix("docs/") + ".html"

    def linked(self, path, target):
        """What a link in a document becomes."""
        if "://" in target or target.startswith(("#", "mailto:")):
            return target
        name, _, anchor = target.partition("#")
        full = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if full == "include/uvow":
            to = "reference/index.html"
        elif full.startswith("include/uvow/") and full.endswith(".h"):
            to = f"reference/{pathlib.Path(full).name}.html"
        elif (ROOT / full).is_dir():
            to = self.directory(full)
        elif full.endswith(".md"):
            to = self.place(full)
        elif full.endswith((".svg", ".png")):
            to = full.removeprefix("docs/")
            self.copies[to] = ROOT / full
        else:
            to = self.source(full)
        start = os.path.dirname(self.place(path)) or "."
        return os.path.relpath(to, start) + (f"#{anchor}" if anchor else "")

    def directory(self, path):
        if (ROOT / path / "README.md").exists():
            return self.place(f"{path}/README.md")
        to = path.removeprefix("docs/") + "/index.html"
        if to not in self.pages:
            self.pages[to] = (path, "")  # it may link to itself
            items = "".join(
                f'<li><a href="{os.path.relpath(self.source(str(name)), path.removeprefix("docs/"))}">'
                f"{name.name}</a></li>"
                for name in sorted(p.relative_to(ROOT)
                                   for p in (ROOT / path).iterdir())
                if (ROOT / name).is_file() and name.suffix in SHOWN)
            self.pages[to] = (path, f"<h1>{path}</h1><ul>{items}</ul>")
        return to

    def source(self, path):
        """A page that shows a file as it is."""
        to = self.place(path)
        if to not in self.pages and (ROOT / path).is_file() \
                and pathlib.Path(path).suffix in SHOWN:
            text = (ROOT / path).read_text(encoding="utf-8")
            name = pathlib.Path(path).name
            self.pages[to] = (name, f"<h1>{path}</h1><pre><code>"
                              f"{self.code(text, to)}</code></pre>")
            opening = re.match(r"/\*(.*?)\*/", text, re.S)
            self.index.append([name, to, api.squeezed(
                re.sub(r"\n \*", " ", opening[1])) if opening else path])
        return to

    def named(self, text, place):
        """Escapes a text in which public names are links."""
        start = os.path.dirname(place) or "."

        def link(found):
            at = self.anchors.get(found[0])
            if not at:
                return found[0]
            return f'<a href="{os.path.relpath(at, start)}#{found[0]}">' \
                   f"{found[0]}</a>"
        return re.sub(r"\b(?:uvow|UVOW)_\w+", link, html.escape(text, False))

    def code(self, text, place):
        """C, with its comments and its links."""
        parts, at = [], 0
        for found in C_COMMENT.finditer(text):
            if found[1]:
                parts += [self.named(text[at:found.start()], place),
                          '<span class="comment">', self.named(found[1], place),
                          "</span>"]
                at = found.end()
        return "".join(parts) + self.named(text[at:], place)

    # ---- documents -----------------------------------------------------

    def document(self, path):
        text = (ROOT / path).read_text(encoding="utf-8")
        to = self.place(path)
        body = markdown.markdown(text, extensions=[
            "tables", "fenced_code", "toc", "sane_lists"])
        body = re.sub(r'(<a href|<img src|src)="([^"]+)"',
                      lambda m: f'{m[1]}="'
                      f'{self.linked(path, html.unescape(m[2]))}"', body)
        body = re.sub(r'(<pre><code class="language-c">)(.*?)(</code>)',
                      lambda m: m[1] + self.code(html.unescape(m[2]), to)
                      + m[3], body, flags=re.S)
        body = re.sub(r"(?<!<pre>)<code>(.*?)</code>", lambda m: "<code>"
                      + self.named(html.unescape(m[1]), to) + "</code>", body,
                      flags=re.S)
        title = re.search(r"^# (.*)$", text, re.M)
        self.pages[to] = (title[1] if title else path, body)
        for heading in re.finditer(
                r'<h([1-3]) id="([^"]+)">(.*?)</h\1>(.*?)(?=<h[1-3] |\Z)', body,
                re.S):
            plain = re.sub(r"<[^>]+>", "", heading[4])
            self.index.append([
                html.unescape(re.sub(r"<[^>]+>", "", heading[3])),
                f"{to}#{heading[2]}", html.unescape(api.squeezed(plain))[:600]])

    # ---- the reference -------------------------------------------------

    def blocks(self, blocks, place):
        out = []
        for kind, content in blocks:
            if kind == "text":
                marks = {"plain": "{}", "code": "<code>{}</code>",
                         "strong": "<strong>{}</strong>"}
                out.append("<p>" + "".join(
                    marks[mark].format(self.named(text, place))
                    for mark, text in content) + "</p>")
            elif kind == "list":
                out.append("<ul>" + "".join(
                    f"<li>{self.blocks(item, place)}</li>"
                    for item in content) + "</ul>")
            else:
                out.append(f"<pre><code>{self.code(content, place)}"
                           "</code></pre>")
        return "".join(out)

    @staticmethod
    def member_id(found, name):
        return f' id="{name}"' if found.kind in ("enum", "macro") else ""

    def symbol(self, found, place):
        members = "".join(
            f"<dt{self.member_id(found, name)}>"
            f"<code>{self.named(code, place)}</code></dt>"
            f"<dd>{self.blocks(text, place)}</dd>"
            for name, code, text in found.members)
        return (f'<section class="symbol" id="{found.name}">'
                f'<pre><code>{self.named(man.broken(found.code, 76), place)}'
                f"</code></pre>{self.blocks(found.text, place)}"
                + (f"<dl>{members}</dl>" if members else "") + "</section>")

    def header(self, header):
        place = f"reference/{header.name}.html"
        parts = [f"<h1>{header.name}: {html.escape(header.title)}</h1>",
                 f"<pre><code>#include &lt;uvow/{header.name}&gt;</code></pre>",
                 self.blocks(header.text, place)]
        for title, kinds in (
                ("Functions", ("function",)),
                ("Types", ("type", "struct", "enum", "callback")),
                ("Constants", ("macro", "data"))):
            chosen = [s for s in header.symbols if s.kind in kinds]
            if chosen:
                parts.append(f'<h2 id="{title.lower()}">{title}</h2>')
                parts += [self.symbol(found, place) for found in chosen]
        self.pages[place] = (header.name, "\n".join(parts))
        for found in header.symbols:
            self.index.append([found.name, f"{place}#{found.name}",
                               api.plain(found.text)[:400]])
            self.index += [
                [name, f"{place}#{found.name}", api.plain(text)[:300]]
                for name, _, text in found.members if found.kind != "struct"]

    def reference(self, headers):
        for header in headers:
            for found in header.symbols:
                at = f"reference/{header.name}.html"
                self.anchors[found.name] = at
                if found.kind in ("enum", "macro"):
                    self.anchors.update(
                        (name, at) for name, _, _ in found.members)
        for header in headers:
            self.header(header)
        rows = "".join(
            f'<tr><td><a href="{h.name}.html">{h.name}</a></td>'
            f"<td>{html.escape(h.title)}</td></tr>" for h in headers)
        self.pages["reference/index.html"] = (
            "Reference", "<h1>Reference</h1><table><tr><th>header</th><th>"
            f"what is in it</th></tr>{rows}</table>")

    def undocumented(self, headers):
        """What is public, and isn't described."""
        for header in headers:
            at = f"include/uvow/{header.name}"
            if not header.text:
                self.wrong.append(f"{at}:1: the header isn't described")
            for found in header.symbols:
                if not found.text:
                    self.wrong.append(
                        f"{at}:{found.line}: {found.name} has no docstring")
                if found.name.endswith("_options_t"):
                    self.wrong += [
                        f"{at}:{found.line}: {found.name}: {name} has no "
                        "docstring" for name, _, text in found.members
                        if not text and not re.search(
                            r"_count$|^reserved|_LAST$|^size$", name)]

    # ---- writing -------------------------------------------------------

    def nav(self, place):
        start = os.path.dirname(place) or "."
        out = []
        for title, tops in GROUPS:
            places = []
            for top in tops:
                if top.endswith(".md"):
                    places.append(self.place(top))
                else:
                    places += sorted(p for p in self.pages if p.startswith(
                        top.removeprefix("docs/") + "/")
                        and self.pages[p][1] and not p.endswith(".json.html"))
            out.append(self.nav_group(title, places, place, start))
        references = sorted((p for p in self.pages
                             if re.fullmatch(r"reference/(?:[^/]+|protocols/"
                                             r"README)\.html", p)),
                            key=lambda p: (not p.endswith("index.html"),
                                           not p.endswith(".h.html"), p))
        out.append(self.nav_group("Reference", references, place, start))
        examples = sorted(p for p in self.pages
                          if p.startswith("examples/") and
                          re.search(r"\.(c|cpp)\.html$", p))
        out.append(self.nav_group("Examples", examples, place, start))
        return "\n".join(out)

    def nav_group(self, title, places, here, start):
        """A title doesn't say again what the group's says: "How to"."""
        def short(place):
            said = self.pages[place][0]
            if said.startswith(f"{title} "):
                said = said.removeprefix(f"{title} ")
                said = said[0].upper() + said[1:]
            return html.escape(said)
        items = "".join(
            f'<li><a {"class=here " if place == here else ""}'
            f'href="{os.path.relpath(place, start)}">{short(place)}</a></li>'
            for place in places if place in self.pages)
        opened = " open" if here in places else ""
        return f"<details{opened}><summary>{title}</summary><ul>{items}</ul>" \
               "</details>"

    def write(self):
        shell = (HERE / "page.html").read_text(encoding="utf-8")
        for place, (title, body) in self.pages.items():
            path = self.where / place
            path.parent.mkdir(parents=True, exist_ok=True)
            root = "../" * place.count("/")
            values = {"title": html.escape(title), "version": self.version,
                      "root": root, "nav": self.nav(place), "body": body}
            path.write_text(re.sub(r"\{(\w+)\}", lambda m: values[m[1]], shell),
                            encoding="utf-8")
        for place, source in self.copies.items():
            (self.where / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, self.where / place)
        for name in ("style.css", "search.js"):
            shutil.copy(HERE / name, self.where / name)
        (self.where / "search-index.js").write_text(
            "var uvowIndex = " + json.dumps(self.index, indent=0) + ";\n",
            encoding="utf-8")


class Links(html.parser.HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, text):
        super().__init__()
        self.to, self.ids = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.to.append(value)


def broken_links(where):
    """Each link of each page that leads nowhere."""
    pages = {path: Links(path.read_text(encoding="utf-8"))
             for path in sorted(where.rglob("*.html"))}
    wrong = []
    for path, links in pages.items():
        for target in links.to:
            name, _, anchor = target.partition("#")
            if "://" in target or target.startswith("mailto:"):
                continue
            to = (path.parent / name).resolve() if name else path
            if not to.is_file():
                wrong.append(f"{path.relative_to(where)}: {target} isn't there")
            elif anchor and to in pages and anchor not in pages[to].ids:
                wrong.append(f"{path.relative_to(where)}: {target}: there is "
                             "no such place")
    return wrong


def documents():
    found = ["README.md", "CHANGELOG.md"]
    return found + sorted(str(path.relative_to(ROOT))
                          for path in (ROOT / "docs").rglob("*.md"))


def generate(where):
    """Writes it all; what is wrong with it."""
    where = where.resolve()
    for name in ("site", "man"):
        shutil.rmtree(where / name, ignore_errors=True)
    site = Site(where / "site")
    headers = api.headers(ROOT)
    site.undocumented(headers)
    site.reference(headers)
    for path in sorted((ROOT / "docs/examples").glob("*.c*")):
        site.source(str(path.relative_to(ROOT)))
    for path in documents():
        site.document(path)
    site.write()
    man.write(headers, site.version, where / "man" / "man3")
    return site.wrong + broken_links(site.where)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    where = pathlib.Path(sys.argv[1])
    wrong = generate(where)
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        sys.exit(1)
    print(f"{where / 'site' / 'index.html'}\n{where / 'man'}")


if __name__ == "__main__":
    main()
