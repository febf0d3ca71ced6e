"""The public headers, read by doxygen, as plain objects.

doxygen parses C (declarations over several lines, callbacks, structs, what a
macro hides); its XML is turned into Symbol objects whose text is a list of
blocks: ("text", [spans]), ("list", [[blocks] ...]), ("code", text). A span is
("plain" | "code" | "strong", text).
"""
import collections
import pathlib
import re
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree

Header = collections.namedtuple("Header", "name title text symbols")
# kind: function, type, callback, struct, enum, macro, data.
# members: of a struct and an enum, (name, declaration, text).
Symbol = collections.namedtuple("Symbol", "kind name code text members line")

DOXYFILE = """
INPUT = {include}/uvow
FILE_PATTERNS = *.h
OUTPUT_DIRECTORY = {where}
GENERATE_HTML = NO
GENERATE_LATEX = NO
GENERATE_XML = YES
XML_PROGRAMLISTING = NO
OPTIMIZE_OUTPUT_FOR_C = YES
AUTOLINK_SUPPORT = NO
EXTRACT_STATIC = YES
EXTRACT_ALL = YES
MACRO_EXPANSION = YES
EXPAND_ONLY_PREDEF = YES
PREDEFINED = UVOW_API= UVOW_NEW= __GNUC__ UVOW_DOCS
QUIET = YES
WARNINGS = NO
"""
PUNCTUATION = {"ndash": "-", "mdash": "-", "sp": " ", "linebreak": " ",
               "lsquo": "'", "rsquo": "'", "ldquo": '"', "rdquo": '"',
               "hellip": "...", "nonbreakablespace": " "}


def squeezed(text):
    return re.sub(r"\s+", " ", text or "").strip()


def flat(node):
    """The text in a node, with nothing of its layout."""
    parts = [node.text or ""]
    for child in node:
        parts.append(PUNCTUATION.get(child.tag) or flat(child))
        parts.append(child.tail or "")
    return "".join(parts)


class Reader:
    """Turns a description into blocks."""

    def __init__(self):
        self.blocks, self.spans = [], []

    def say(self, kind, text):
        text = re.sub(r"\s+", " ", text or "")
        if text:
            self.spans.append((kind, text))

    def close(self):
        spans, self.spans = self.spans, []
        if any(text.strip() for _, text in spans):
            self.blocks.append(("text", spans))

    def visit(self, node):
        self.say("plain", node.text)
        for child in node:
            self.child(child)
            self.say("plain", child.tail)

    def child(self, child):
        tag = child.tag
        if tag in PUNCTUATION:
            self.say("plain", PUNCTUATION[tag])
        elif tag == "computeroutput":
            self.say("code", flat(child))
        elif tag in ("bold", "emphasis"):
            self.say("strong", flat(child))
        elif tag in ("itemizedlist", "orderedlist"):
            self.close()
            self.blocks.append(("list", [blocks_of(item) for item in child]))
        elif tag in ("verbatim", "preformatted", "programlisting"):
            self.close()
            text = "\n".join(flat(line) for line in child) \
                if tag == "programlisting" else flat(child)
            self.blocks.append(("code", text.strip("\n")))
        elif tag in ("para", "simplesect"):
            self.close()
            self.visit(child)
            self.close()
        else:
            self.visit(child)


def blocks_of(*nodes):
    reader = Reader()
    for node in nodes:
        if node is not None:
            reader.visit(node)
            reader.close()
    return reader.blocks


def text_of(node):
    return blocks_of(*(node.find(tag) for tag in (
        "briefdescription", "detaileddescription")))


def run_doxygen(root, where):
    subprocess.run(
        ["doxygen", "-"], check=True, text=True,
        input=DOXYFILE.format(include=root / "include", where=where),
        stdout=subprocess.DEVNULL)
    return pathlib.Path(where) / "xml"


def parsed(path):
    return ElementTree.parse(path).getroot().find("compounddef")


def declared(member):
    """A member's declaration, in one line."""
    kind = squeezed(flat(member.find("type"))) \
        if member.find("type") is not None else ""
    name = member.findtext("name")
    args = squeezed(member.findtext("argsstring"))
    if kind.endswith("(*"):  # a callback: "int(*"
        kind = re.sub(r"(\w)\(\*$", r"\1 (*", kind)
    glue = "" if kind.endswith(("*", "(")) else " "
    return f"{kind}{glue}{name}{args}"


def mapped(member):
    """What an X macro lists: XX(NAME, -1, "text") for each."""
    node = member.find("initializer")
    text = flat(node) if node is not None else ""
    return [(f"UVOW_{name}", f"UVOW_{name} = {code}",
             [("text", [("plain", said)])])
            for name, code, said in re.findall(
                r'XX\((\w+),\s*(-?\d+),\s*"([^"]*)"\)',
                re.sub(r"\\\s*\n", " ", text).replace('"  "', ""))]


def macro(member):
    params = [param.findtext("defname") for param in member.findall("param")]
    arguments = "(" + ", ".join(params) + ")" if params != [None] and params \
        else ""
    initializer = member.find("initializer")
    value = squeezed(flat(initializer)) if initializer is not None else ""
    shown = f" {value}" if value and len(value) < 40 and not params else ""
    return f"#define {member.findtext('name')}{arguments}{shown}"


def line(node):
    return int(node.find("location").get("line"))


def struct(xml, ref, typedefs):
    """A struct, under the name that its typedef gives it."""
    node = parsed(xml / f"{ref}.xml")
    tag = node.findtext("compoundname")
    if "::" in tag:
        return None  # within another one, and shown there
    members, at, text = [], 0, []
    for member in node.iter("memberdef"):
        if member.get("kind") != "variable" or re.match(
                r"reserved\d*$", member.findtext("name")):
            continue
        # One that follows at once shares the docstring of the one before.
        text = text_of(member) or (text if line(member) == at + 1 else [])
        at = line(member)
        members.append((member.findtext("name"), declared(member) + ";", text))
    name = typedefs.get(tag, tag)
    return Symbol("struct", name, f"struct {tag}", text_of(node), members,
                  line(node))


def enum(member, typedefs):
    name = member.findtext("name")
    values = [(value.findtext("name"), value.findtext("name")
               + (" " + squeezed(value.findtext("initializer"))
                  if value.find("initializer") is not None else ""),
               text_of(value)) for value in member.findall("enumvalue")]
    return Symbol("enum", typedefs.get(name, name), f"enum {name}",
                  text_of(member), values, line(member))


def symbols_of(xml, node):
    members = list(node.iter("memberdef"))
    typedefs = {}  # a tag, and the name that a typedef gives it
    for member in members:
        if member.get("kind") == "typedef":
            kind = re.fullmatch(r"(?:struct|enum)\s+(\w+)",
                                squeezed(flat(member.find("type"))))
            if kind:
                typedefs[kind[1]] = member.findtext("name")
    found = [struct(xml, inner.get("refid"), typedefs)
             for inner in node.findall("innerclass")]
    whole = {symbol.code.split()[1] for symbol in found if symbol}
    for member in members:
        kind, name = member.get("kind"), member.findtext("name")
        text = text_of(member)
        if kind == "function":
            found.append(Symbol("function", name, declared(member) + ";",
                                text, [], line(member)))
        elif kind == "variable":
            found.append(Symbol("data", name, declared(member) + ";", text, [],
                                line(member)))
        elif kind == "enum":
            found.append(enum(member, typedefs))
            whole.add(name)
        elif kind == "define" and not name.endswith(("_H", "_XX", "XX")):
            found.append(Symbol("macro", name, macro(member), text,
                                mapped(member), line(member)))
    for member in members:
        if member.get("kind") != "typedef":
            continue
        kind = squeezed(flat(member.find("type")))
        if kind.split()[-1] in whole:
            continue
        code = f"typedef {declared(member)};"
        found.append(Symbol("callback" if "(*" in code else "type",
                            member.findtext("name"), code, text_of(member),
                            [], line(member)))
    return sorted((s for s in found if s), key=lambda symbol: symbol.line)


def headers(root):
    """Every public header that C includes, in order of their names."""
    with tempfile.TemporaryDirectory() as where:
        xml = run_doxygen(root, where)
        result = []
        for path in sorted(xml.glob("*_8h.xml")):
            node = parsed(path)
            text = text_of(node)
            name = node.findtext("compoundname")
            title = first_sentence(text) or name
            result.append(Header(name, title, text, symbols_of(xml, node)))
        return result


def plain(blocks):
    """What the blocks say, without markup."""
    parts = []
    for kind, content in blocks:
        if kind == "text":
            parts.append("".join(text for _, text in content).strip())
        elif kind == "list":
            parts += [plain(item) for item in content]
        else:
            parts.append(content)
    return " ".join(parts)


def first_sentence(blocks):
    text = plain(blocks[:1])
    found = re.match(r"(.*?[.:;])(?:\s|$)", text)
    return (found[1] if found else text).rstrip(".:;")
