#!/usr/bin/env python3
"""The rooms without sockets pass their tests on other processors.

usage: cross.py <build directory>

32 bits (i386, whose doubles are an x87's), big-endian (s390x), and arm64: built
with Debian's cross compilers and run under qemu-user. The libraries are Debian's
packages for that processor, unpacked below .build/cross: nothing is installed,
and the system's architectures stay as they are. `test/run --cross` runs this.
"""
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys

from house import ROOT, Skip, main

Machine = collections.namedtuple("Machine", "arch triplet libs family endian qemu")
MACHINES = (
    Machine("i386", "i686-linux-gnu", "i386-linux-gnu", "x86", "little",
            "qemu-i386-static"),
    Machine("s390x", "s390x-linux-gnu", "s390x-linux-gnu", "s390x", "big",
            "qemu-s390x-static"),
    Machine("arm64", "aarch64-linux-gnu", "aarch64-linux-gnu", "aarch64",
            "little", "qemu-aarch64-static"),
)
ROOMS = ("base", "future", "wire", "protocol")
PACKAGES = ("libc6-dev libgcc-12-dev libuv1-dev libjansson-dev libssl-dev "
            "zlib1g-dev libwslay-dev libcmocka-dev libboost-context-dev").split()
CROSS_FILE = """\
[binaries]
c = '{triplet}-gcc'
ar = '{triplet}-gcc-ar'
strip = '{triplet}-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['{qemu}', '-L', '{root}']
[built-in options]
c_args = ['--sysroot={root}']
c_link_args = ['--sysroot={root}']
[properties]
sys_root = '{root}'
pkg_config_libdir = '{root}/usr/lib/{libs}/pkgconfig:{root}/usr/share/pkgconfig'
[host_machine]
system = 'linux'
cpu_family = '{family}'
cpu = '{family}'
endian = '{endian}'
"""


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], text=True,
                          errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **more)
    return done.returncode, done.stdout


def unpacked(machine, where):
    """A directory with Debian's packages for this machine."""
    root = where / "root"
    if (where / "complete").exists():
        return root
    for name in ("lists/partial", "cache/archives/partial", "root"):
        (where / name).mkdir(parents=True, exist_ok=True)
    (where / "status").write_text("")
    apt = ["apt-get", "-qq", "-y", "--no-install-recommends",
           "-o", f"APT::Architecture={machine.arch}",
           "-o", f"APT::Architectures::={machine.arch}",
           "-o", f"Dir::State={where}", "-o", f"Dir::Cache={where}/cache",
           "-o", f"Dir::State::status={where}/status",
           "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User="]
    run(*apt, "update")  # what fails of it shows in what follows
    failed, said = run(*apt, "--download-only", "install", *PACKAGES)
    if failed:
        raise Skip(f"no packages for {machine.arch}: "
                   f"{said.strip().splitlines()[-1] if said.strip() else ''}")
    for package in sorted((where / "cache/archives").glob("*.deb")):
        run("dpkg", "-x", package, root)
    (where / "complete").write_text("")
    return root


def built(machine):
    """The build directory, and what went wrong."""
    for tool in (f"{machine.triplet}-gcc", machine.qemu):
        if not shutil.which(tool):
            raise Skip(f"{tool} is not installed")
    where = ROOT / ".build" / "cross" / machine.arch
    root = unpacked(machine, where)
    (where / "cross.ini").write_text(
        CROSS_FILE.format(root=root, **machine._asdict()))
    build = where / "build"
    if not (build / "build.ninja").exists():
        failed, said = run("meson", "setup", build, ROOT, "--cross-file",
                           where / "cross.ini", "-Dtests=enabled",
                           "-Dcommand=disabled")
        if failed:
            return build, root, said.splitlines()[-20:]
    failed, said = run("ninja", "-C", build,
                       *(f"test/test_{room}" for room in ROOMS))
    return build, root, said.splitlines()[-20:] if failed else []


def passes(machine):
    build, root, wrong = built(machine)
    if wrong:
        return wrong
    env = {**os.environ, "TEST_ROOT": str(ROOT), "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    cases = 0
    for room in ROOMS:
        program = [machine.qemu, "-L", root, build / "test" / f"test_{room}"]
        modules = run(*program)[1].partition("one of: ")[2].split()
        for module in modules:
            status, said = run(*program, module, env=env)
            cases += len(re.findall(r"^ok ", said, re.M))
            if status:
                wrong.append(f"{machine.arch}: {room}/{module}: "
                             f"exit status {status}")
                wrong += re.findall(r"^not ok.*$|^# .*$", said, re.M)[-8:]
        if not modules:
            wrong.append(f"{machine.arch}: test_{room} has no modules")
    print(f"# {machine.arch}: {cases} cases passed")
    return wrong


def i386(root):
    return passes(MACHINES[0])


def s390x(root):
    return passes(MACHINES[1])


def arm64(root):
    return passes(MACHINES[2])


if __name__ == "__main__":
    main((i386, s390x, arm64), ())
