#!/usr/bin/env python3
"""A language server, as small as can be: asks for its configuration, and finds
that a str is no int."""
import json
import sys


def read():
    length = 0
    while True:
        line = sys.stdin.buffer.readline()
        if not line:
            sys.exit(1)  # without shutdown and exit
        if line == b"\r\n":
            return json.loads(sys.stdin.buffer.read(length))
        name, value = line.split(b":", 1)
        if name.lower() == b"content-length":
            length = int(value)


def write(**message):
    text = json.dumps(dict(message, jsonrpc="2.0")).encode()
    sys.stdout.buffer.write(b"Content-Type: application/vscode-jsonrpc\r\n"
                            b"Content-Length: %d\r\n\r\n%s"
                            % (len(text), text))
    sys.stdout.buffer.flush()


def diagnose(document, version):
    lines = document["text"].split("\n")
    write(method="textDocument/publishDiagnostics",
          params={"uri": document["uri"], "diagnostics": [
              {"range": {"start": {"line": at, "character": 0},
                         "end": {"line": at, "character": len(line)}},
               "message": f"a str is no int, says Python {version}"}
              for at, line in enumerate(lines) if "int = '" in line]})


def main():
    document = None
    while True:
        message = read()
        method = message.get("method")
        if method == "initialize":
            write(id=message["id"], result={"capabilities": {}})
        elif method == "textDocument/didOpen":
            document = message["params"]["textDocument"]
            write(id="c1", method="workspace/configuration",
                  params={"items": [{"section": "python"}]})
        elif message.get("id") == "c1":
            diagnose(document, message["result"][0]["pythonVersion"])
        elif method == "shutdown":
            write(id=message["id"], result=None)
        elif method == "exit":
            sys.exit(0)


main()
