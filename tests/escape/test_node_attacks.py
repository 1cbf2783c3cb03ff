"""A function in Node tries what one in Python does, and comes as far: Node is another program in the same box.

Each attack has a control, the same action on something of the function's own, which has to succeed.
"""

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from tests.escape.conftest import ENOUGH_MEMORY, HERE, Arena, own_address

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on PATH: apt-get install nodejs")

Target = Callable[[Arena], tuple[Any, ...]]

ATTACKS: dict[str, tuple[str, Target, str, tuple[Any, ...]]] = {
    "read another function's code": ("read", lambda a: (str(a.code["victim"] / "handler.py"),), "own_file", ()),
    "read the platform's token": ("read", lambda a: (str(a.run_dir / "token"),), "own_file", ()),
    "read another account's file": ("read", lambda a: (str(a.targets.file),), "read", ("/etc/passwd",)),
    "write where all may": ("write", lambda a: (str(a.targets.open_folder / "x"),), "own_file", ()),
    "write to the system": ("write", lambda _: ("/usr/x",), "own_file", ()),
    "connect to the control plane": ("unix", lambda a: (str(a.run_dir / "api.sock"),), "own_unix", ()),
    "connect to a socket open to all": ("unix", lambda a: (a.targets.unix_path,), "own_unix", ()),
    "connect to this machine": ("tcp", lambda a: ("127.0.0.1", a.targets.tcp_port), "own_tcp", ()),
    "connect to metadata": ("tcp", lambda _: ("169.254.169.254", 80), "own_tcp", ()),
    "send out by UDP": ("udp", lambda a: (own_address(), a.targets.udp_port), "udp", ("127.0.0.1", 9)),
    "signal others": ("signal_all", lambda a: (a.pids,), "signal_all", ([],)),
    "read others' environment": ("environ_of", lambda a: (a.pids,), "environ_of", ([],)),
    "open others' memory": ("memory_of", lambda a: (a.pids,), "read", ("/proc/self/maps",)),
    "start a program in namespaces of its own": ("spawn", lambda _: ("unshare", "-U", "true"), "spawn", ("true",)),
    "mount": ("spawn", lambda _: ("mount", "-t", "tmpfs", "none", "/tmp"), "spawn", ("true",)),
    "become root": ("escalate", lambda _: (), "own_file", ()),
}
BEYOND_B = {"own_unix", "own_tcp", "udp"}
"""What a function without a network of its own is refused even among its own."""


@pytest.fixture(scope="module")
def attacker(arena: Arena) -> Arena:
    """The platform, with an attacker in Node."""
    folder = arena.folder / "functions" / "node-attacker"
    shutil.copytree(HERE / "node_attacker", folder)
    arena.platform.ok(
        "deploy", folder.name, "--handler", str(folder), "--lang", "node", "--memory-limit", ENOUGH_MEMORY
    )
    return arena


@pytest.mark.parametrize("name", ATTACKS)
def test_the_attack_is_stopped_and_would_have_worked(attacker: Arena, name: str) -> None:
    action, target, control, own = ATTACKS[name]
    done = attacker.attempt(control, *own, function="node-attacker")["outcome"]
    assert (done == "done") is (attacker.stand.tier != "B" or control not in BEYOND_B), done
    before = list(attacker.targets.visits)
    told = attacker.attempt(action, *target(attacker), function="node-attacker")
    assert told["outcome"] != "done", told
    assert attacker.targets.visits == before
    assert attacker.ask("victim") == (200, b"alive")


def test_a_function_has_no_right_and_nothing_of_the_platforms(attacker: Arena) -> None:
    told = attacker.attempt("inspect", function="node-attacker")["told"]
    status = told["status"]
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert told["uid"] != 0
    known = ("socket:", "pipe:", "anon_inode:", "/dev/null", "/proc/")
    assert [path for path in told["files"] if not path.startswith(known)] == []
    assert not any(name.startswith("DAYFLY_ADMIN") or "token" in name.lower() for name in told["environ"])
