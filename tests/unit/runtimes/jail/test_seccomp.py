"""The filter of system calls: throw-away children try every refused call, and those that must go on working."""

import ctypes
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.runtimes.jail.throwaway import attempt, in_child

from dayfly.runtimes.jail import bpf, calls, seccomp
from dayfly.runtimes.jail.seccomp import Sockets

X86 = platform.machine() == "x86_64"
NUMBERS = seccomp._LOOKED_INTO.get(platform.machine(), {})

pytestmark = pytest.mark.skipif(platform.machine() not in seccomp._AUDIT, reason="no table for this machine")


def filtered(body: Callable[[], Any], sockets: Sockets = "inet") -> Any:
    """Run `body` in a child behind the filter."""

    def child() -> Any:
        calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
        seccomp.install(sockets)
        return body()

    return in_child(child)


def call(number: int, *arguments: int) -> None:
    calls.numbered(number, str(number), *arguments)


def test_every_refused_call_is_refused() -> None:
    told = filtered(lambda: {name: attempt(lambda: call(number, *[0] * 6)) for name, number in refused()})  # noqa: B023 - called at once
    assert set(told.values()) == {"EPERM"}
    assert len(told) > 60


def refused() -> list[tuple[str, int]]:
    return list(seccomp.refused().items())


@pytest.mark.parametrize("number", [*seccomp._ABSENT.values(), seccomp.NEWEST + 1, 1000])
def test_what_can_be_done_without_looks_absent(number: int) -> None:
    assert filtered(lambda: attempt(lambda: call(number, *[0] * 6))) == "ENOSYS"


@pytest.mark.parametrize(
    "flag",
    [calls.CLONE_NEWUSER, calls.CLONE_NEWNS, calls.CLONE_NEWPID, calls.CLONE_NEWNET, calls.CLONE_NEWIPC,
     calls.CLONE_NEWUTS, calls.CLONE_NEWCGROUP],
)  # fmt: skip
def test_no_namespace_is_made_by_clone(flag: int) -> None:
    assert filtered(lambda: attempt(lambda: call(NUMBERS["clone"], flag | signal.SIGCHLD, *[0] * 4))) == "EPERM"


FAMILIES = {"unix": socket.AF_UNIX, "inet": socket.AF_INET, "inet6": socket.AF_INET6}


@pytest.mark.parametrize(
    ("sockets", "made"),
    [("inet", {"unix", "inet", "inet6"}), ("stream", {"inet", "inet6"}), ("local", {"unix"}), ("none", set())],
)
def test_only_the_families_of_the_network_mode_are_made(sockets: Sockets, made: set[str]) -> None:
    def body() -> dict[str, str]:
        return {name: attempt(lambda: socket.socket(family).close()) for name, family in FAMILIES.items()}  # noqa: B023 - called at once

    told = filtered(body, sockets)
    assert {name for name, outcome in told.items() if outcome == "done"} == made
    assert set(told.values()) <= {"done", "EAFNOSUPPORT"}


@pytest.mark.parametrize("family", [16, 17, 38, 40, 44, 30, 2 | 1 << 20])
def test_families_that_no_function_needs_are_not_there(family: int) -> None:
    assert filtered(lambda: attempt(lambda: call(NUMBERS["socket"], family, 3, 0))) == "EAFNOSUPPORT"
    assert filtered(lambda: attempt(lambda: call(NUMBERS["socketpair"], family, 1, 0, 0))) == "EAFNOSUPPORT"


@pytest.mark.parametrize("kind", [socket.SOCK_RAW, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 10])
def test_raw_sockets_are_refused_even_to_root(kind: int) -> None:
    assert filtered(lambda: attempt(lambda: call(NUMBERS["socket"], socket.AF_INET, kind, 1))) == "EPERM"


@pytest.mark.parametrize(
    ("kind", "protocol", "outcome"),
    [
        (socket.SOCK_STREAM | socket.SOCK_NONBLOCK, 0, "done"), (socket.SOCK_STREAM, 6, "done"),
        (socket.SOCK_STREAM, 262, "EPERM"), (socket.SOCK_STREAM, 132, "EPERM"), (socket.SOCK_DGRAM, 0, "EPERM"),
        (socket.SOCK_DGRAM, 17, "EPERM"), (socket.SOCK_SEQPACKET, 132, "EPERM"),
    ],
)  # fmt: skip
def test_where_landlock_alone_guards_the_network_only_tcp_is_made(kind: int, protocol: int, outcome: str) -> None:
    assert filtered(lambda: attempt(lambda: call(NUMBERS["socket"], 2, kind, protocol)), "stream") == outcome


def test_the_terminal_cannot_be_typed_into() -> None:
    def body() -> list[str]:
        _leader, follower = os.openpty()
        byte = ctypes.create_string_buffer(b"x")
        where = ctypes.addressof(byte)
        return [attempt(lambda: call(NUMBERS["ioctl"], follower, code, where)) for code in (0x5412, 0x541C)]  # noqa: B023 - called at once

    assert filtered(body) == ["EPERM", "EPERM"]


def test_devices_are_not_made_but_pipes_are(tmp_path: Any) -> None:
    def body() -> list[str]:
        os.mkfifo(tmp_path / "pipe")
        return [attempt(lambda: os.mknod(tmp_path / "d", kind | 0o600, 1 << 8 | 3)) for kind in (0o020000, 0o060000)]  # noqa: B023 - called at once

    assert filtered(body) == ["EPERM", "EPERM"]


@pytest.mark.parametrize(("persona", "outcome"), [(0xFFFFFFFF, "done"), (0, "done"), (0x0040000, "EPERM")])
def test_the_personality_is_asked_for_but_not_changed(persona: int, outcome: str) -> None:
    assert filtered(lambda: attempt(lambda: call(NUMBERS["personality"], persona))) == outcome


@pytest.mark.skipif(not X86, reason="x86-64 alone has a second table within its own architecture")
def test_a_call_by_x32s_numbers_ends_the_process() -> None:
    assert filtered(lambda: attempt(lambda: call(0x40000000 | 39))) == f"signal {signal.SIGSYS.value}"


@pytest.mark.skipif(not X86, reason="the code below is x86 code")
def test_a_call_by_32_bit_numbers_ends_the_process() -> None:
    code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov eax, 20 (getpid); int 0x80; ret

    def body() -> int:
        import mmap

        area = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        area.write(code)
        return int(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(area)))())

    assert filtered(body) == f"signal {signal.SIGSYS.value}"


def test_ordinary_programs_do_not_notice() -> None:
    def body() -> list[Any]:
        done: list[Any] = []
        thread = threading.Thread(target=lambda: done.append("thread"))
        thread.start()
        thread.join()
        done.append(subprocess.run(["/bin/echo", "x"], capture_output=True, check=True).stdout.decode())
        code = "import json, ssl, hashlib, tempfile; print(hashlib.sha256(tempfile.mkdtemp().encode()).digest_size)"
        done.append(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.decode())
        left, right = socket.socketpair()
        left.send(b"x")
        done.append(right.recv(1).decode())
        done.append(socket.getaddrinfo("127.0.0.1", 80)[0][4][0])
        return done

    assert filtered(body) == ["thread", "x\n", "32\n", "x", "127.0.0.1"]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("sockets", ["inet", "stream", "local", "none"])
def test_programs_of_both_machines_judge_as_the_tables_say(machine: str, sockets: Sockets) -> None:
    """Run the programs in a small interpreter, so that the table of the other machine is tested too."""
    code = seccomp.program(sockets, machine)
    audit = seccomp._AUDIT[machine]
    eperm, enosys, family = (bpf.fail(number) for number in (1, 38, 97))
    for number in seccomp.refused(machine).values():
        assert judge(code, number, audit) == eperm
    for number in seccomp._ABSENT.values():
        assert judge(code, number, audit) == enosys
    numbers = seccomp._LOOKED_INTO[machine]
    assert judge(code, numbers["clone"], audit, 0x10000011) == eperm
    assert judge(code, numbers["clone"], audit, 0x3D0F00) == bpf.ALLOW
    assert judge(code, numbers["socket"], audit, 16, 3) == family
    expected = bpf.ALLOW if sockets in ("inet", "stream") else family
    assert judge(code, numbers["socket"], audit, 2, 1) == expected
    assert judge(code, numbers["mknodat"], audit, 0, 0, 0o020600) == eperm
    assert judge(code, numbers["mknodat"], audit, 0, 0, 0o010600) == bpf.ALLOW
    assert judge(code, 0, audit) == judge(code, 63, audit) == bpf.ALLOW
    assert judge(code, 0, 0x40000003) == bpf.KILL
    other = {"x86_64": "aarch64", "aarch64": "x86_64"}[machine]
    assert judge(code, 0, seccomp._AUDIT[other]) == bpf.KILL
    assert len(code) // 8 < 4096


def judge(code: bytes, number: int, audit: int, *arguments: int) -> int:
    import struct

    words = [number, audit, 0, 0, *(part for each in arguments for part in (each & 0xFFFFFFFF, each >> 32))]
    words += [0] * (16 - len(words))
    at = word = 0
    program = list(struct.iter_unpack("HBBI", code))
    while True:
        operation, yes, no, value = program[at]
        at += 1
        match operation:
            case 0x20:
                word = words[value // 4]
            case 0x54:
                word &= value
            case 0x06:
                return int(value)
            case _:
                tests = {0x15: word == value, 0x25: word > value, 0x35: word >= value, 0x45: bool(word & value)}
                at += yes if tests[operation] else no
