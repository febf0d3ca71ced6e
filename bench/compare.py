#!/usr/bin/env python3
"""What bench/compare runs once all is built: the rounds, the table, the chart.

Every client speaks to the same server on CPU 0 and is itself on CPU 1, by turns,
so that a machine that is busy for a while is so for all of them. That server is
the lean one of bench/peers, which isn't what they wait for; with --server uvow
it is `uvow serve`. Servers are compared apart, under the cheapest client. Only
ratios within one run mean much: each is taken within a round, and of these
ratios, not of the rates, it says the median and the extremes.
"""
import argparse
import itertools
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time

HERE = pathlib.Path(__file__).resolve().parent
LINE = re.compile(r"(\w+)=(\S+)")
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NODE_PATHS = "/usr/share/nodejs:/usr/lib/nodejs"

# What the name in the table stands for.
ABOUT = {
    "bare-tcp": "a bound: libuv TCP, as many bytes; no WebSocket, no JSON",
    "epoll-ws": "the practical bound: written by hand for this traffic only",
    "uvow": "params and results as bytes, a future each",
    "uvow-json": "the same, a json_t for each",
    "hiredis": "hiredis on libuv; Redis, in order, no ids",
    "websocketpp": "websocketpp on asio, rapidjson",
    "beast": "Boost.Beast on Boost.Asio, rapidjson",
    "libwebsockets": "libwebsockets, jansson",
    "node-ws": "Node ws, promises",
    "node-ws-corked": "the same, one write per tick",
    "bun": "Bun's own WebSocket, promises",
    "python-websockets": "Python websockets, asyncio",
}

# No peers: what nobody can be faster than, and what no library needs to be.
BOUNDS = ("bare-tcp", "epoll-ws")
# Its server is another, which answers in order: nothing to be compared.
OTHERS = ("hiredis",)


class Processes:
    """What was started, so that it is ended: each by its own pid."""

    def __init__(self):
        self.running = []

    def start(self, args, cpu, **options):
        process = subprocess.Popen(args, preexec_fn=pinned(cpu), **options)
        self.running.append(process)
        return process

    def end(self, process):
        """Politely, then not."""
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
        self.running.remove(process)

    def end_all(self):
        for number in STOPS:  # the second Ctrl-C too
            signal.signal(number, signal.SIG_IGN)
        for process in list(self.running):
            self.end(process)


def cpus():
    """The server's and the client's, or None where nothing can be pinned."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[:2] if len(allowed) > 1 else None


def pinned(cpu):
    both = cpus()
    if not both:
        return None
    return lambda: os.sched_setaffinity(0, {both[cpu]})


def started(processes, args):
    """A server that says its port: its process and that."""
    process = processes.start(args, 0, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    found = re.search(r":(\d+)/", line)
    if not found:
        raise RuntimeError(f"{args[0]} did not say its port")
    return process, int(found[1])


def listening(processes, args):
    return started(processes, args)[1]


def answers_ping(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as peer:
            peer.sendall(b"PING\r\n")
            return peer.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def redis(processes, where):
    """Redis can't choose a port itself: one that was free a moment ago."""
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = processes.start(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(port),
             "--save", "", "--appendonly", "no", "--dir", where], 0,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 5
        while process.poll() is None and time.monotonic() < until:
            if answers_ping(port):
                return port
            time.sleep(0.02)
        processes.end(process)
    raise RuntimeError("redis-server did not start")


def works(args, **options):
    return subprocess.run(args, stdout=subprocess.DEVNULL, timeout=30,
                          stderr=subprocess.DEVNULL, **options).returncode == 0


def node_environment():
    given = os.environ.get("NODE_PATH")
    paths = f"{given}:{NODE_PATHS}" if given else NODE_PATHS
    return dict(os.environ, NODE_PATH=paths)


def uvow_clients(options, port):
    base = [options.uvow, "bench", "--url", f"ws://127.0.0.1:{port}/",
            "--line", "--verify"]

    def command(*more):
        return lambda in_flight, seconds: base + [
            "--inflight", str(in_flight), "--seconds", str(seconds), *more]
    return {"uvow": command(), "uvow-json": command("--json-values")}


def servers(options):
    """name -> command line, of those that there are."""
    found = {"uvow": [options.uvow, "serve", "--port", "0"]}
    lean = pathlib.Path(options.peers) / "epoll_server"
    if lean.exists():
        found["lean"] = [lean]
    return found


def server_command(options):
    found = servers(options)
    return found.get(options.server, found["uvow"])


def clients(options, processes, where, wanted):
    """name -> (in flight, seconds) -> command line, of those that can run."""
    found = {}

    def add(name, port, *command):
        if name in wanted:
            found[name] = lambda in_flight, seconds: [
                *command, str(port), str(in_flight), str(seconds),
                *(["corked"] if name == "node-ws-corked" else [])]

    def leave_out(name, why):
        if name in wanted:
            print(f"{name} is left out: {why}", file=sys.stderr)

    peers = pathlib.Path(options.peers)
    port = listening(processes, server_command(options))
    if (peers / "bare_tcp").exists() and "bare-tcp" in wanted:
        add("bare-tcp", listening(processes, [peers / "bare_tcp", "serve"]),
            peers / "bare_tcp")
    if (peers / "epoll_ws").exists():
        add("epoll-ws", port, peers / "epoll_ws")
    found.update((name, command) for name, command
                 in uvow_clients(options, port).items() if name in wanted)
    if "hiredis" in wanted and (peers / "hiredis").exists():
        if shutil.which("redis-server"):
            add("hiredis", redis(processes, where), peers / "hiredis")
        else:
            leave_out("hiredis", "redis-server is not installed")
    for name in ("websocketpp", "beast", "libwebsockets"):
        if (peers / name).exists():
            add(name, port, peers / name)
    if shutil.which("node") and works(["node", "-e", "require('ws')"],
                                      env=node_environment()):
        for name in ("node-ws", "node-ws-corked"):
            add(name, port, "node", HERE / "peers" / "node_ws.js")
    else:
        leave_out("node-ws", "nodejs or node-ws is not installed")
    bun = peers / "bun" / "node_modules" / ".bin" / "bun"
    if bun.exists() and works([bun, "--version"]):
        add("bun", port, bun, HERE / "peers" / "node_ws.js")
    else:
        leave_out("bun", "npm could not install it")
    if works([sys.executable, "-c", "import websockets"]):
        add("python-websockets", port, sys.executable,
            HERE / "peers" / "python_websockets.py")
    else:
        leave_out("python-websockets",
                  "python3-websockets is not installed")
    return found


def measured(processes, command, seconds):
    """What one run says; None if it failed."""
    process = processes.start(command, 1, stdout=subprocess.PIPE, text=True,
                              env=node_environment())
    try:
        out, _ = process.communicate(timeout=10 + 5 * seconds)
    except subprocess.TimeoutExpired:
        out = ""
    processes.end(process)
    values = dict(LINE.findall(out))
    if process.returncode != 0 or "rps" not in values:
        return None
    values = {key: float(value) for key, value in values.items()
              if key != "client"}
    values["cpu_us"] = 1e6 * values["cpu_s"] / max(values["requests"], 1)
    return values


def run_rounds(options, processes, commands, in_flight):
    """name -> what each round says, None where it failed."""
    runs = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            run = measured(processes, command(in_flight, options.seconds),
                           options.seconds)
            runs[name].append(run)
            if not run:
                print(f"{name} failed with {in_flight} in flight",
                      file=sys.stderr)
    return runs


def cpu_s(pid):
    """What a process has spent, or None where nobody says it."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1]
    except OSError:
        return None
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def server_load(options, connections, in_flight, port):
    """What asks a server: the cheapest client there is for one connection, and
    uvow's for many; in_flight on each."""
    if connections == 1:
        return [pathlib.Path(options.peers) / "epoll_ws", str(port),
                str(in_flight), str(options.seconds)]
    return [options.uvow, "bench", "--url", f"ws://127.0.0.1:{port}/",
            "--line", "--verify", "--connections", str(connections),
            "--inflight", str(in_flight * connections),
            "--seconds", str(options.seconds)]


def serve_rounds(options, processes, connections, in_flight):
    """server -> what each round says of it."""
    running = {name: started(processes, command)
               for name, command in servers(options).items()}
    runs = {name: [] for name in running}
    for _ in range(options.rounds):
        for name, (server, port) in running.items():
            spent, began = cpu_s(server.pid), time.monotonic()
            run = measured(processes, server_load(options, connections,
                                                  in_flight, port),
                           options.seconds)
            lasted = time.monotonic() - began
            if run and spent is not None:
                run["cpu_us"] = (1e6 * (cpu_s(server.pid) - spent)
                                 / (run["rps"] * lasted))
            runs[name].append(run)
    for server, _ in running.values():
        processes.end(server)
    return runs


def compare_servers(options, processes):
    """The table of servers, or why there is none."""
    if "lean" not in servers(options) or \
            not (pathlib.Path(options.peers) / "epoll_ws").exists():
        return "Servers aren't compared: the lean one can't be built here.\n"
    lines = ["Servers: one connection, the hand-written client; 64 of uvow's",
             "", "| connections | in flight on each | uvow answers/s "
             "| of the lean server's | CPU us an answer "
             "| of the lean server's |", "|---:|---:|---:|---:|---:|---:|"]
    for connections, in_flight in itertools.product((1, 64), options.inflight):
        runs = serve_rounds(options, processes, connections, in_flight)
        rate, cost = (ratio_of(runs["uvow"], runs["lean"], key)
                      for key in ("rps", "cpu_us"))
        if rate:
            mine = [run for run in runs["uvow"] if run]
            lines.append(
                f"| {connections} | {in_flight} "
                f"| {statistics.median(run['rps'] for run in mine):,.0f} "
                f"| {spread(rate)} "
                f"| {statistics.median(run['cpu_us'] for run in mine):.2f} "
                f"| {spread(cost) if cost else ''} |")
    return "\n".join(lines) + "\n"


def ratio_of(mine, others, key):
    """Mine as a multiple of the other's, of each round in which both ran:
    median, least, most."""
    all_of = [a[key] / b[key] for a, b in zip(mine, others)
              if a and b and b[key]]
    return {"median": statistics.median(all_of), "min": min(all_of),
            "max": max(all_of)} if all_of else None


def summed_up(runs):
    """name -> medians, and uvow's ratios to it."""
    out = {}
    for name, of in runs.items():
        ran = [run for run in of if run]
        if ran:
            out[name] = {key: statistics.median(run[key] for run in ran)
                         for key in ran[0]} | {"rounds": len(ran)}
            out[name]["uvow_is"] = {
                key: ratio_of(runs.get("uvow", []), of, key)
                for key in ("rps", "p50_us", "p99_us", "cpu_us")}
    return out


def faster(of, name):
    """uvow's rate as a multiple of this one's."""
    ratio = of[name]["uvow_is"]["rps"]
    return ratio["median"] if ratio else None


def dearer(of, name):
    """What this one spends on a request as a multiple of uvow's."""
    ratio = of[name]["uvow_is"]["cpu_us"]
    return 1 / ratio["median"] if ratio and ratio["median"] else None


def spread(ratio):
    return (f"{ratio['median']:.2f} ({ratio['min']:.2f} to "
            f"{ratio['max']:.2f})")


def summary(in_flight, of):
    """How far from the bound, how far ahead of the best peer; or nothing."""
    parts = []
    if "uvow" not in of:
        return None
    bound = of.get("epoll-ws", {}).get("uvow_is", {})
    if bound.get("rps"):
        parts.append(f"{spread(bound['rps'])} of the practical bound, with "
                     f"{spread(bound['cpu_us'])} times its CPU a request")
    if in_flight == 1 and bound.get("p50_us"):
        parts[-1] += (f", p50 {spread(bound['p50_us'])} and "
                      f"p99 {spread(bound['p99_us'])} of its")
    peers = [name for name in of if not name.startswith("uvow")
             and name not in BOUNDS + OTHERS and of[name]["uvow_is"]["rps"]]
    if peers:
        best = max(peers, key=lambda name: of[name]["rps"])
        parts.append(f"{spread(of[best]['uvow_is']['rps'])} times {best}, "
                     "the best peer")
    return f"{in_flight} in flight: uvow is " + "; ".join(parts) + "." \
        if parts else None


def times(ratio):
    return f"{ratio:.2f}x" if ratio else ""


def memory(kb):
    """Linux counts what a process was before exec too, and that was us."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"{kb / 1024:.0f}" if kb > own else f"&lt;{own / 1024:.0f}"


def table(results):
    """In Markdown, fastest first."""
    lines = []
    for in_flight, of in results.items():
        lines += [f"{in_flight} requests in flight", "",
                  "| client | requests/s | uvow's | p50 us | p99 us "
                  "| CPU us a request | of uvow's | peak MiB |",
                  "|---|---:|---:|---:|---:|---:|---:|---:|"]
        for name in sorted(of, key=lambda n: -of[n]["rps"]):
            one = of[name]
            lines.append(
                f"| {name} | {one['rps']:,.0f} | {times(faster(of, name))} "
                f"| {one['p50_us']:.1f} | {one['p99_us']:.1f} "
                f"| {one['cpu_us']:.2f} | {times(dearer(of, name))} "
                f"| {memory(one['maxrss_kb'])} |")
        lines.append("")
    return "\n".join(lines)


STYLE = """<style>
.bg { fill: #ffffff; } .own { fill: #0969da; } .other { fill: #afb8c1; }
.bound { fill: none; stroke: #818b98; stroke-dasharray: 4 3; }
text { fill: #1f2328; font: 12px system-ui, sans-serif; }
.quiet { fill: #59636e; } .end { text-anchor: end; }
.title { font-weight: 600; font-size: 15px; }
@media (prefers-color-scheme: dark) {
.bg { fill: #0d1117; } .own { fill: #58a6ff; } .other { fill: #656c76; }
text { fill: #e6edf3; } .quiet { fill: #9198a1; }
}
</style>"""
WIDTH, LEFT, BAR, STEP, HEAD = 760, 150, 16, 24, 44
ROOM = WIDTH - LEFT - 220  # for the longest bar; numbers follow


def short(rate):
    return f"{rate / 1e6:.2f}M" if rate >= 999500 else f"{rate / 1e3:.0f}k"


def bar(y, width, kind, goes_on):
    """Without its right side if it's longer than drawn."""
    end = "" if goes_on else "z"
    return (f'<path d="M{LEFT + width:.1f} {y}H{LEFT}v{BAR}h{width:.1f}{end}" '
            f'class="{kind}"/>')


def bars(of, in_flight, top):
    """A group of the chart, and where it ends. A bound may be longer than there
    is room for: the others set the scale."""
    names = sorted(of, key=lambda n: -of[n]["rps"])
    scale = max((of[n]["rps"] for n in names if n not in BOUNDS),
                default=max(of[n]["rps"] for n in names))
    out = [f'<text x="16" y="{top + 16}" class="title">'
           f'{in_flight} in flight, requests/s</text>']
    y = top + 32
    for name in names:
        rate = of[name]["rps"]
        width = max(1.0, ROOM * min(1.1, rate / scale))
        kind = ("own" if name.startswith("uvow") else
                "bound" if name in BOUNDS else "other")
        ratio = faster(of, name)
        note = "" if not ratio or name == "uvow" else \
            f"uvow is {ratio:.1f}x" if ratio >= 1 else \
            f"uvow is {ratio:.2f} of it"
        out += [f'<text x="{LEFT - 8}" y="{y + 13}" class="end">{name}</text>',
                bar(y, width, kind, rate / scale > 1.1),
                f'<text x="{LEFT + width + 6:.1f}" y="{y + 13}">'
                f'{short(rate)}<tspan class="quiet" dx="8">{note}</tspan></text>']
        y += STEP
    return out, y + 14


def chart(results):
    parts, top = [], HEAD
    for in_flight, of in results.items():
        group, top = bars(of, in_flight, top)
        parts += group
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
        f'height="{top}" viewBox="0 0 {WIDTH} {top}" role="img" '
        'aria-label="Requests per second of each client">', STYLE,
        f'<rect class="bg" width="{WIDTH}" height="{top}" rx="6"/>',
        '<text x="16" y="28" class="quiet">One connection, JSON-RPC echo, '
        'medians of interleaved rounds. Dashed: bounds, open if longer than '
        'drawn.</text>', *parts, "</svg>", ""])


SERVERS = {"lean": "the lean server of `bench/peers`", "uvow": "`uvow serve`"}


def machine():
    try:
        info = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        info = ""
    found = re.search(r"model name\s*: (.*)", info)
    return f"{found[1] if found else platform.machine()}, {os.cpu_count()} CPUs"


def client_label(name):
    mark = "**" if name.startswith("uvow") else "*" if name in BOUNDS else ""
    return f"{mark}{name}{mark}: {ABOUT[name]}"


def readme_part(results, server, where):
    """What README says of the run with the most in flight."""
    in_flight = max(results)
    of = results[in_flight]
    lines = textwrap.wrap(
        f"`bench/compare` made this, on {where}: every WebSocket client speaks "
        f"to {SERVERS[server]} over one connection and checks every answer "
        "(hiredis speaks to Redis, without ids); medians of rounds by turns, "
        "server and client each on a CPU. The two dashed ones are bounds: TCP "
        "alone, and a client that was written by hand for exactly this "
        f"traffic. With {in_flight} in flight:", 110) + [
            "", "| client | requests/s | CPU us a request | uvow is |",
            "|---|---:|---:|---:|"]
    for name in sorted(of, key=lambda n: -of[n]["rps"]):
        ratio = "" if name == "uvow" else times(faster(of, name))
        lines.append(f"| {client_label(name)} | {of[name]['rps']:,.0f} "
                     f"| {of[name]['cpu_us']:.2f} | {ratio} |")
    return "\n".join(lines) + "\n"


README_PART = re.compile(r"^`bench/compare[^\n]* made this.*?(?:^\|[^\n]*\n)+",
                         re.M | re.S)


def with_part(readme, part):
    """README with another part; it has one."""
    text, count = README_PART.subn(lambda _: part, readme)
    if count != 1:
        raise ValueError("README has no place for what bench/compare says")
    return text


def arguments():
    parser = argparse.ArgumentParser(prog="bench/compare")
    parser.add_argument("--uvow", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--peers", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--svg", help="where to draw the chart")
    parser.add_argument("--json", help="where to write all the medians")
    parser.add_argument("--readme", help="whose table to write anew")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--inflight", default="1,64,1024")
    parser.add_argument("--only", help="the clients to run, with commas")
    parser.add_argument("--server", choices=("lean", "uvow"), default="lean",
                        help="what the clients speak to (lean)")
    parser.add_argument("--servers", action="store_true",
                        help="compare servers alone")
    options = parser.parse_args()
    try:
        options.inflight = [int(n) for n in options.inflight.split(",")]
    except ValueError:
        parser.error("--inflight wants numbers")
    options.only = options.only.split(",") if options.only else list(ABOUT)
    unknown = set(options.only) - set(ABOUT)
    if unknown:
        parser.error(f"no client {unknown.pop()}; there are {', '.join(ABOUT)}")
    if options.rounds < 1 or options.seconds <= 0 or min(options.inflight) < 1:
        parser.error("--rounds, --seconds and --inflight want more")
    return options


def load():
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def compare(options):
    processes = Processes()
    print(f"load before: {load()}; "
          f"{'server and client each on a CPU' if cpus() else 'not pinned'}")
    with tempfile.TemporaryDirectory() as where:
        try:
            commands = {} if options.servers else \
                clients(options, processes, where, options.only)
            runs = {n: run_rounds(options, processes, commands, n)
                    for n in options.inflight if commands}
            of_servers = compare_servers(options, processes)
        finally:
            processes.end_all()
    print(f"load after: {load()}; medians of {options.rounds} rounds of "
          f"{options.seconds:g} s; {platform.machine()}\n")
    results = {n: summed_up(of) for n, of in runs.items()}
    if results:
        print(f"The server: {options.server}.\n")
    print(table(results))
    for in_flight, of in results.items():
        print("-", summary(in_flight, of)
              or f"{in_flight} in flight: no ratios.")
    print("\nRatios are medians of the rounds' own (the least to the most).\n")
    for name in options.only:
        if name in commands:
            print(f"- {name}: {ABOUT[name]}")
    print(f"\n{of_servers}")
    if options.svg:
        pathlib.Path(options.svg).write_text(chart(results))
    if options.readme and results:
        readme = pathlib.Path(options.readme)
        readme.write_text(with_part(readme.read_text(), readme_part(
            results, options.server, machine())))
    if options.json:
        pathlib.Path(options.json).write_text(
            json.dumps(results, indent=1) + "\n")
    return 0 if all(set(of) == set(commands) for of in results.values()) else 1


def stop(number, frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in STOPS:
        signal.signal(number, stop)
    try:
        sys.exit(compare(arguments()))
    except KeyboardInterrupt:
        sys.exit(130)
