#!/usr/bin/env python3
"""Layering is law: which room may include, and call, what."""
import re

from house import Plant, includes, line_of, main, read, sources, \
    without_comments

# A room sees itself and these.
ROOMS = {
    "base": (),
    "future": ("base",),
    "wire": ("base",),
    "protocol": ("base", "wire"),
    "net": ("base", "future"),
    "websocket": ("base", "future", "wire", "net"),
    "rpc": ("base", "future", "wire", "protocol", "net", "websocket"),
    "uv": ("base", "future", "net"),
    "fiber": ("base", "future", "net"),
    "command": ("base", "future", "wire", "protocol", "net", "websocket",
                "rpc", "uv", "uvow.h"),
    # The umbrella.
    "uvow.h": ("base", "future", "wire", "protocol", "net", "websocket", "rpc",
               "fiber"),
}

# A public header belongs to the room with its .c file; these have none.
PUBLIC_ROOMS = {
    "base.h": "base",
    "value.h": "base",
    "json.h": "rpc",
    "protocol.h": "protocol",
    "uv.h": "uv",
    "websocket.h": "websocket",
}

# A program on the library: what the library must not call or include, it may.
PROGRAM = "lib/command/"

# Where what isn't ours may be included.
THIRD_PARTY = (
    (r"uv\.h|uv/.*", r"lib/(net|uv|fiber)/.*|include/uvow/uv\.h"),
    (r"wslay/.*", r"lib/wire/framer\.c"),
    (r"jansson\.h", r"lib/wire/json\.c|lib/protocol/parse[^/]*"),
    (r"zlib\.h", r"lib/wire/deflate\.c"),
    (r"emmintrin\.h", r"lib/wire/lanes\.h"),
    (r"immintrin\.h|arm_neon\.h", r"lib/wire/wide\.h"),
    (r"openssl/.*", r"lib/net/tls_openssl\.c|lib/base/hash\.c"),
    (r"sanitizer/.*", r"lib/base/pool\.c|lib/fiber/switch\.c"),
    (r"ucontext\.h", r"lib/fiber/switch\.h"),
    (r"sys/mman\.h|unistd\.h|valgrind/.*", r"lib/fiber/stack\.c"),
)

# Of the C library; what else the system does, libuv does for us.
STANDARD = {
    "assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h", "limits.h",
    "math.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdatomic.h", "stdio.h",
    "stdlib.h", "string.h",
}

ALLOCATORS = "malloc|calloc|realloc|free|strdup|strndup|aligned_alloc"
BANNED = ("strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|atoi|"
          "atol|atof|alloca|printf|vprintf|fprintf|vfprintf|puts|fputs|"
          "putchar|perror|exit|_exit|quick_exit|abort|atexit|getenv|setenv|"
          "secure_getenv|signal|sigaction|raise|system|rand|srand|setlocale|"
          "localtime|gmtime|sleep|usleep")
# The one line of contract F8, and how a debug build ends.
MAY_PRINT = {"lib/net/loop.c": {"fprintf", "fputs"},
             "lib/future/misuse.c": {"fprintf", "abort"}}


def public_room(root, name):
    if name in PUBLIC_ROOMS:
        return PUBLIC_ROOMS[name]
    for room in ROOMS:
        if (root / "lib" / room / name).with_suffix(".c").exists():
            return room
    return None


def included_room(root, path, name, is_system):
    """The room that an #include reaches into; None: it isn't ours."""
    if name == "uvow.h":
        return "uvow.h"
    if name.startswith("uvow/"):
        return public_room(root, name[len("uvow/"):])
    if path.parts[0] == "include" and not is_system:
        return public_room(root, name)
    if is_system:
        return None
    parts = name.split("/")
    return parts[0] if len(parts) > 1 else path.parts[1]


def own_room(root, path):
    if path.parts[0] == "include":
        return public_room(root, path.name) if len(path.parts) > 2 else "uvow.h"
    return path.parts[1] if len(path.parts) > 2 else None


def rooms(root):
    """Each #include stays in the rooms that the table gives."""
    wrong = []
    for path in sources(root, "lib", "include"):
        room = own_room(root, path)
        if room not in ROOMS:
            wrong.append(f"{path}:1: belongs to no room: see PUBLIC_ROOMS")
            continue
        for line, name, is_system in includes(read(root, path)):
            ours = name.startswith("uvow") or not is_system
            to = included_room(root, path, name, is_system)
            if ours and to != room and to not in ROOMS[room]:
                wrong.append(f"{path}:{line}: {room} may not include {name}"
                             f" (room: {to})")
            if ".." in name.split("/") or name.endswith(".c"):
                wrong.append(f"{path}:{line}: included in a crooked way: "
                             f"{name}")
    return wrong


def library(root):
    """The C files of the library and its headers."""
    return [path for path in sources(root, "lib", "include")
            if not str(path).startswith(PROGRAM)]


def third_party(root):
    """Each library of others is included where it is wrapped, only there."""
    wrong = []
    for path in library(root):
        for line, name, is_system in includes(read(root, path)):
            if not is_system or name.startswith("uvow") or name in STANDARD:
                continue
            allowed = [where for what, where in THIRD_PARTY
                       if re.fullmatch(what, name)]
            if not any(re.fullmatch(where, str(path)) for where in allowed):
                wrong.append(f"{path}:{line}: <{name}> has no place here")
    return wrong


def calls(root, path, names):
    """(line, name) for each call or mention of one of the functions."""
    text = without_comments(read(root, path))
    # Not a member, nor part of a longer name.
    for found in re.finditer(rf"(?<![\w.>])(?:{names})\s*(?=[(])", text):
        yield line_of(text, found.start()), found[0].strip()


def allocation(root):
    """Only lib/base/mem.c calls malloc and its like."""
    return [f"{path}:{line}: {name} outside lib/base/mem.c"
            for path in library(root)
            if str(path) != "lib/base/mem.c"
            for line, name in calls(root, path, ALLOCATORS)]


def banned_functions(root):
    """No unbounded copy, no printing, no exit, no environment."""
    return [f"{path}:{line}: {name} is banned"
            for path in library(root)
            for line, name in calls(root, path, BANNED)
            if name not in MAY_PRINT.get(str(path), ())]


PAGE = "docs/explanation/architecture.md"
PICTURE = "docs/explanation/architecture.svg"


def page_says_so(root):
    """The page on the architecture has this table, and its picture the rooms."""
    wrong = []
    said = {found[1]: () if found[2] == "nothing else"
            else tuple(found[2].split(", "))
            for found in re.finditer(r"^\| `lib/(\w+)` \|[^|]*\| ([^|]+) \|$",
                                     read(root, PAGE), re.M)}
    drawn = set(re.findall(r'class="title"[^>]*>(\w+)<', read(root, PICTURE)))
    for room, others in ROOMS.items():
        if room == "uvow.h":
            continue
        if said.get(room) != others:
            wrong.append(f"{PAGE}:1: says of {room}: {said.get(room)}, "
                         f"not {others}")
        if room not in drawn:
            wrong.append(f"{PICTURE}:1: has no {room}")
    return wrong


CHECKS = (rooms, third_party, allocation, banned_functions, page_says_so)
BODY = "\nstatic void planted(void) {{\n  {}\n}}\n"
PLANTS = (
    Plant(rooms, "lib/base/buf.c", '#include "wire/url.h"\n'),
    Plant(rooms, "lib/wire/planted.c", "#include <uvow/future.h>\n"),
    Plant(rooms, "lib/future/planted.c", '#include "net/loop.h"\n'),
    Plant(rooms, "lib/protocol/planted.h", '#include "rpc/peer.h"\n'),
    Plant(rooms, "lib/net/planted.h", '# include  "wire/framer.h"\n'),
    Plant(rooms, "lib/base/planted.h", "#include <uvow.h>\n"),
    Plant(rooms, "lib/websocket/planted.h", '#include "rpc/peer.h"\n'),
    Plant(rooms, "lib/websocket/planted.h",
          '#include "protocol/protocol.h"\n'),
    Plant(rooms, "lib/rpc/planted.c", '#include "../base/buf.h"\n'),
    Plant(rooms, "lib/rpc/planted.h", '#include "command/args.h"\n'),
    Plant(rooms, "lib/other/planted.c", "\n"),
    Plant(rooms, "include/uvow/error.h", '#include "future.h"\n'),
    Plant(rooms, "include/uvow/planted.h", "\n"),
    Plant(page_says_so, PAGE, "| base, wire, net |", replace="| base, wire |",
          expect="says of protocol"),
    Plant(page_says_so, PICTURE, ">fibre<", replace=">fiber<",
          expect="has no fiber"),
    Plant(third_party, "lib/rpc/planted.c", "#include <uv.h>\n"),
    Plant(third_party, "lib/websocket/planted.c", "#include <uv.h>\n"),
    Plant(third_party, "include/uvow/base.h", "#include <uv.h>\n"),
    Plant(third_party, "lib/wire/url.c", "#include <wslay/wslay.h>\n"),
    Plant(third_party, "lib/rpc/planted.c", "#include <jansson.h>\n"),
    Plant(third_party, "lib/wire/framer.c", "#include <zlib.h>\n"),
    Plant(third_party, "lib/wire/mask.c", "#include <emmintrin.h>\n"),
    Plant(third_party, "lib/net/tcp.c", "#include <openssl/ssl.h>\n"),
    Plant(third_party, "lib/net/tls.c", "#include <openssl/ssl.h>\n"),
    Plant(third_party, "lib/net/tls_private.h", "#include <openssl/ssl.h>\n"),
    Plant(third_party, "lib/wire/handshake.c", "#include <openssl/sha.h>\n"),
    Plant(third_party, "lib/net/planted.c", "#include <sys/epoll.h>\n"),
    Plant(allocation, "lib/base/buf.c", BODY.format("free(malloc (1));")),
    Plant(allocation, "lib/wire/planted.c", BODY.format('strdup("x");')),
    Plant(banned_functions, "lib/base/buf.c", BODY.format("strcpy(a, b);")),
    Plant(banned_functions, "lib/net/loop.c", BODY.format("printf(a);")),
    Plant(banned_functions, "lib/net/planted.c",
          BODY.format('fprintf(stderr, "x");')),
    Plant(banned_functions, "lib/rpc/planted.c", BODY.format("abort();")),
    Plant(banned_functions, "lib/rpc/planted.c",
          BODY.format('p = getenv("HOME");')),
)

if __name__ == "__main__":
    main(CHECKS, PLANTS)
