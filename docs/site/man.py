"""Manual pages, section 3: one for each header, and a link for each name."""
import re


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^([.'])", r"\\&\1", text)


def spans(parts):
    marks = {"plain": "", "code": "\\fB", "strong": "\\fI"}
    return "".join(f"{marks[kind]}{escaped(text)}" + ("\\fR" * bool(marks[kind]))
                   for kind, text in parts)


def blocks(content, out):
    for kind, part in content:
        if kind == "text":
            out += [".PP", re.sub(r"(?m)^ +", "", spans(part).strip())]
        elif kind == "code":
            out += [".PP", ".nf", escaped(part), ".fi"]
        else:
            for item in part:
                out.append(".IP \\(bu 2")
                inner = []
                blocks(item, inner)
                out += inner[1:] if inner[:1] == [".PP"] else inner


def broken(code, width=68):
    """A long declaration in lines of its parameters."""
    if len(code) <= width or "(" not in code:
        return code
    head, _, rest = code.partition("(")
    if rest.startswith("*"):  # a callback: the second pair has the parameters
        more, _, rest = rest.partition("(")
        head += "(" + more
    return head + "(\n    " + re.sub(r", ", ",\n    ", rest)


def symbol(found, out):
    out += [f".SS {escaped(found.name)}", ".nf", "\\fB" +
            escaped(broken(found.code)).replace("\n", "\\fR\n\\fB") + "\\fR",
            ".fi"]
    blocks(found.text, out)
    for name, code, text in found.members:
        out += [".TP", f"\\fB{escaped(code)}\\fR"]
        inner = []
        blocks(text, inner)
        out += [line for line in inner if line != ".PP"]


def uncapitalized(title):
    """As a NAME line has it: "Futures" small, "JSON" as it is."""
    first = title.split()[0]
    return title if first[1:] != first[1:].lower() \
        else title[0].lower() + title[1:]


def page(header, version, others):
    """The page of a header."""
    stem = header.name.split(".")[0]
    out = [f'.TH "UVOW\\-{stem.upper()}" 3 "" "uvow {version}" "uvow"',
           ".SH NAME", f"uvow\\-{stem} \\- {escaped(uncapitalized(header.title))}",
           ".SH SYNOPSIS", ".nf", f"\\fB#include <uvow/{header.name}>\\fR"]
    for found in header.symbols:
        if found.kind == "function":
            out += ["", "\\fB" + escaped(broken(found.code)).replace(
                "\n", "\\fR\n\\fB") + "\\fR"]
    out += [".fi", ".SH DESCRIPTION"]
    blocks(header.text, out)
    for title, kinds in (("TYPES", ("type", "struct", "enum", "callback")),
                         ("MACROS", ("macro",)),
                         ("DATA", ("data",)),
                         ("FUNCTIONS", ("function",))):
        chosen = [s for s in header.symbols if s.kind in kinds]
        if chosen:
            out.append(f".SH {title}")
        for found in chosen:
            symbol(found, out)
    out += [".SH SEE ALSO",
            ", ".join(f"\\fBuvow\\-{other}\\fR(3)" for other in others
                      if other != stem)]
    return "\n".join(line for line in out if line is not None) + "\n"


def write(headers, version, where):
    """All of them into a directory."""
    where.mkdir(parents=True, exist_ok=True)
    stems = [header.name.split(".")[0] for header in headers]
    for header in headers:
        stem = header.name.split(".")[0]
        (where / f"uvow-{stem}.3").write_text(page(header, version, stems))
        for found in header.symbols:
            if found.kind == "function":
                (where / f"{found.name}.3").write_text(
                    f".so man3/uvow-{stem}.3\n")
