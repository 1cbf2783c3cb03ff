"""A function that tries, on each account and tier: what must be stopped is stopped, and would have worked elsewhere.

Each attack has a control: the same action on something of the function's own, which has to succeed. Where a tier does
not stop an attack, the table says so, and the test fails when it does after all: docs/sandbox.md would be wrong.
"""

import json
import os
import re
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.escape.conftest import ATTACKER, Arena, call, own_address
from tests.system.driver import eventually, processes_that_know

from dayfly.runtimes.jail import seccomp

Arguments = tuple[Any, ...] | Callable[[Arena], tuple[Any, ...]]


class Attack(msgspec.Struct, frozen=True):
    """Something to try on `target`, and the same on something harmless."""

    action: str
    target: Arguments
    control: str = ""
    """The action that has to succeed; empty where the kernel gives functions nothing of the kind at all."""
    own: tuple[Any, ...] = ()
    passes: tuple[str, ...] = ()
    """Tiers that do not stop it."""
    refusal: str = ""
    """How it must fail, where it would fail otherwise without a filter."""
    control_refused: tuple[str, ...] = ()
    """Tiers that stop the harmless one as well."""


def number(name: str) -> int:
    return seccomp.refused()[name]


def home_entry() -> tuple[str, str]:
    """A home folder and something in it that is not on the way to the interpreter, which functions are shown."""
    home = os.path.expanduser("~")
    names = [name for name in os.listdir(home) if not sys.base_prefix.startswith(f"{home}/{name}")]
    return (home, names[0]) if names else ("/home", "")


ATTACKS = {
    "read another account's file": Attack("read", lambda a: (str(a.targets.file),), "read", ("/etc/passwd",)),
    "read passwords": Attack("read", ("/etc/shadow",), "read", ("/etc/passwd",)),
    "read the state database": Attack("read", lambda a: (a.of_platform("state.db"),), "own_file"),
    "read the platform's token": Attack("read", lambda a: (a.of_platform("run/token"),), "own_file"),
    "read the settings": Attack("read", lambda a: (a.of_platform("run/settings-*.json"),), "own_file"),
    "read the queue's calls": Attack("read", lambda a: (a.of_platform("queue/jetstream/CALLS/**/*.blk"),), "own_file"),
    "read the queue's passwords": Attack("read", lambda a: (a.of_platform("run/nats.json"),), "own_file"),
    "read the queue's settings": Attack("read", lambda a: (a.of_platform("run/nats.conf"),), "own_file"),
    "read the runs of flows": Attack("read", lambda a: (a.of_platform("flows/flows.db"),), "own_file"),
    "read others' log": Attack("read", lambda a: (a.of_platform("records/logs.db"),), "own_file"),
    "read another function's code": Attack(
        "read", lambda a: (str(a.code["victim"] / "handler.py"),), "own_file"
    ),
    "find another function's code": Attack("listing", lambda a: (str(a.code["victim"].parent), a.code["victim"].name),
                                           "own_file"),
    "read another function's secret": Attack("read", lambda a: (a.victims_secret,), "own_secret", ("attackers",)),
    "find another function's secret": Attack(
        "listing", lambda a: os.path.split(a.victims_secret), "own_secret", ("attackers",)
    ),
    "read it through another's root": Attack("secret_of", lambda a: (a.victims + a.pids, "victims"), "own_secret",
                                             ("attackers",)),
    "read others' start orders": Attack("orders_of", lambda a: (a.pids,), "own_memory_file"),
    "read the key of the secrets": Attack("read", lambda a: (str(a.key_file),), "own_file"),
    "write to its own secret": Attack("write_own_secret", ("attackers",), "own_file"),
    "list home folders": Attack("listing", home_entry(), "own_file"),
    "find others' files in /tmp": Attack("listing", lambda a: (str(a.folder), a.targets.file.name), "own_file"),
    "read by a symbolic link": Attack("read_by_link", lambda a: (str(a.targets.file),), "read_by_link",
                                      ("/etc/passwd",)),
    "write where all may": Attack("write", lambda a: (str(a.targets.open_folder / "x"),), "own_file"),
    "write to the root": Attack("write", ("/x",), "own_file"),
    "write to its own code": Attack("write", lambda a: (str(a.code["attacker"] / "handler.py"),), "own_file"),
    "write to the system": Attack("write", ("/usr/x",), "own_file"),
    "write to the kernel": Attack("write", ("/proc/sys/kernel/core_pattern",), "own_file"),
    "press SysRq": Attack("write", ("/proc/sysrq-trigger",), "own_file"),
    "open the machine's memory": Attack("read", ("/dev/mem",), "read", ("/dev/zero",)),
    "reach cgroups": Attack("listing", ("/sys/fs/cgroup", ""), "own_file"),
    "connect to the control plane": Attack("unix", lambda a: (a.of_platform("run/api.sock"),), "own_unix", (False,),
                                           control_refused=("B",)),
    "connect to the gateways' master": Attack("unix", lambda a: (a.of_platform("run/link.sock"),), "own_unix", (False,),
                                              control_refused=("B",)),
    "connect to the queue": Attack("unix", lambda a: (a.of_platform("run/queue.sock"),), "own_unix", (False,),
                                   control_refused=("B",)),
    "connect to the queue's server": Attack("tcp", lambda a: ("127.0.0.1", a.queue_port), "own_tcp",
                                            control_refused=("B",)),
    "connect to the console": Attack("unix", lambda a: (a.of_platform("run/console.sock"),), "own_unix", (False,),
                                     control_refused=("B",)),
    "connect to another function": Attack("unix", lambda a: (a.victim_socket,), "own_unix", (False,),
                                          control_refused=("B",)),
    "connect to the zygote": Attack("unix", lambda a: (a.of_platform("run/zygote-*.sock"),), "own_unix", (False,),
                                    control_refused=("B",)),
    "connect to the egress proxy's master": Attack("unix", lambda a: (a.of_platform("run/egress.sock"),), "own_unix",
                                                   (False,), control_refused=("B",)),
    "connect to a socket open to all": Attack("unix", lambda a: (a.targets.unix_path,), "own_unix", (False,),
                                              control_refused=("B",)),
    "connect to an abstract socket": Attack("unix", lambda a: (a.targets.abstract,), "own_unix", (True,),
                                            control_refused=("B",)),
    "connect to this machine's loopback": Attack("tcp", lambda a: ("127.0.0.1", a.targets.tcp_port), "own_tcp",
                                                 control_refused=("B",)),
    "connect to the gateway": Attack("tcp", lambda a: ("127.0.0.1", a.port), "own_tcp", control_refused=("B",)),
    "connect to this machine's address": Attack("tcp", lambda a: (own_address(), a.targets.tcp_port), "own_tcp",
                                                control_refused=("B",)),
    "connect to metadata": Attack("tcp", ("169.254.169.254", 80), "own_tcp", control_refused=("B",)),
    "send out by UDP": Attack("udp", lambda a: (own_address(), a.targets.udp_port), "udp", ("127.0.0.1", 9),
                              control_refused=("B",)),
    "ask the proxy for metadata": Attack("by_proxy", ("http://169.254.169.254/latest/meta-data/",)),
    "ask the proxy for loopback": Attack("by_proxy", lambda a: (f"http://127.0.0.2:{a.targets.tcp_port}/",)),
    "ask the proxy for loopback by name": Attack("by_proxy", lambda a: (f"http://localhost.:{a.targets.tcp_port}/",)),
    "ask the proxy for this machine": Attack("by_proxy", lambda a: (f"http://{own_address()}:{a.port}/healthz",)),
    "ask the proxy in odd notation": Attack("by_proxy", lambda a: (f"http://2130706433:{a.targets.tcp_port}/",)),
    "ask the proxy for IPv6 loopback": Attack("by_proxy", lambda a: (f"http://[::ffff:127.0.0.1]:{a.port}/healthz",)),
    "signal others": Attack("signal_all", lambda a: (a.pids,), "own_child"),
    "read others' environment": Attack("environ_of", lambda a: (a.pids,), "cmdline_of", ([],)),
    "read others' command lines": Attack("cmdline_of", lambda a: (a.pids,), "cmdline_of", ([],), passes=("B",)),
    "open others' memory": Attack("memory_of", lambda a: (a.pids,), "read", ("/proc/self/maps",)),
    "enter others' roots": Attack("root_of", lambda a: (a.pids,), "own_file"),
    "copy others' memory": Attack("read_memory", lambda a: (a.pids,)),
    "trace others": Attack("call_each", lambda a: (a.pids, number("ptrace"), 16, "pid", 0, 0)),
    "take others' descriptors": Attack("call_each", lambda a: (a.pids, number("pidfd_getfd"), 0, 0, 0)),
    "be traced": Attack("call", (number("ptrace"), 0, 0, 0, 0)),
    "mount": Attack("mount", (), "own_file"),
    "make a user namespace": Attack("call", (number("unshare"), 0x10000000)),
    "make one by clone": Attack("call", (56 if os.uname().machine == "x86_64" else 220, 0x10000011, 0, 0, 0, 0)),
    "use io_uring": Attack("call", (425, 1, 0), refusal="ENOSYS"),
    "load BPF": Attack("call", (number("bpf"), 0, 0, 0)),
    "use a keyring": Attack("call", (number("keyctl"), 0, -3, 1)),
    "watch performance": Attack("call", (number("perf_event_open"), 0, 0, -1, -1, 0)),
    "change the root": Attack("call", (number("chroot"), 0)),
    "open a packet socket": Attack("make_socket", (17, 3), "make_socket", (2, 1)),
    "open a raw socket": Attack("make_socket", (2, 3), "make_socket", (2, 1)),
    "talk to the kernel by netlink": Attack("make_socket", (16, 3), "make_socket", (2, 1)),
    "talk to the hypervisor": Attack("make_socket", (40, 1), "make_socket", (2, 1)),
    "allocate past the limit": Attack("allocate", (1 << 30,), "allocate", (50 << 20,)),
    "share past the limit": Attack("share", (1 << 30,), "share", (50 << 20,)),
    "allocate past it in a memory file": Attack("memory_file", (1 << 30,), "memory_file", (50 << 20,)),
    "allocate past it by forks": Attack("allocate_by_forks", (20, 50 << 20), "allocate_by_forks", (3, 20 << 20)),
    "make one file too large": Attack("one_file", (2 << 30,), "one_file", (20 << 20,)),
    "open a file too many": Attack("open_many", (20_000,), "open_many", (200,)),
    "fork without end": Attack("fork", (4000,), "fork", (20,)),
}  # fmt: skip
JAIL_ONLY = {"fill /tmp": Attack("fill", (400 << 20,), "fill", (20 << 20,))}


@pytest.mark.parametrize("name", [*ATTACKS, *JAIL_ONLY])
def test_the_attack_is_stopped_and_would_have_worked(arena: Arena, name: str) -> None:
    tier = arena.stand.tier
    if name in JAIL_ONLY and tier == "B":
        pytest.skip("without a jail there is no /tmp of its own to be sized")
    if name == "fork without end" and tier == "B" and arena.stand.user:
        pytest.skip("without a user of its own the count would be the account's; cgroups see to it")
    attack = ATTACKS.get(name) or JAIL_ONLY[name]
    if attack.control:
        control = arena.attempt(attack.control, *attack.own)["outcome"]
        assert (control == "done") is (tier not in attack.control_refused), control
    before = list(arena.targets.visits)
    target = attack.target if isinstance(attack.target, tuple) else attack.target(arena)
    function = "attacker"
    if name == "fork without end":  # else its memory would run out first, and its end would say nothing of forks
        function = "breeder"
        arena.deploy(function, ATTACKER, "--memory-limit", "2Gi")
    told = arena.attempt(attack.action, *target, function=function)
    assert (told["outcome"] == "done") is (tier in attack.passes), told
    assert attack.refusal in ("", told["outcome"])
    assert arena.targets.visits == before
    assert arena.ask("victim") == (200, b"alive")


def test_the_tier_is_the_one_expected_and_told_everywhere(arena: Arena) -> None:
    tier = arena.stand.tier
    platform = arena.platform
    assert f"sandbox   tier {tier}:" in platform.output
    assert platform.describe("attacker")["sandbox_tier"] == tier
    assert re.search(rf"^Tier: +{re.escape(tier)}:", platform.ok("doctor"), re.MULTILINE)
    info = json.loads(platform.ok("version", "--output", "json"))["platform"]
    headers = {"authorization": f"Bearer {Path(arena.of_platform('run/token')).read_text().strip()}"}
    openfaas = platform.ask("GET", "/system/info", headers=headers).json()
    metrics = platform.ask("GET", "/metrics", listener="metrics_url", headers=headers).body.decode()
    assert openfaas["sandbox"] == info["sandbox"]
    assert openfaas["sandbox"]["tier"] == tier
    tiers = [line for line in metrics.splitlines() if line.startswith("dayfly_sandbox_tier{")]
    assert [line for line in tiers if line.endswith(" 1")] == [f'dayfly_sandbox_tier{{tier="{tier}"}} 1']
    doctor = platform.ok("doctor")
    for what, lacks in (("No namespaces", tier == "B"), ("No Landlock", tier == "B-"), ("No cgroup", arena.stand.user)):
        told = [sentence for sentence in openfaas["sandbox"]["missing"] if sentence.startswith(what)]
        assert len(told) == lacks
        for sentence in told:
            assert sentence in platform.output
            assert sentence in doctor.replace("\n", " ")


def test_a_function_has_no_right_and_nothing_of_the_platforms(arena: Arena) -> None:
    told = arena.attempt("inspect")["told"]
    assert {told[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    jailed = arena.stand.tier != "B"
    if jailed or not arena.stand.user:
        assert told["CapBnd"] == "0" * 16
    assert told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == "2"
    assert told["uid"] != 0
    assert not any(name.startswith("DAYFLY_ADMIN") or "token" in name.lower() for name in told["environ"])
    known = ("socket:", "pipe:", "anon_inode:", "/dev/null", "/proc/", "/memfd:")
    assert [path for path in told["files"] if not path.startswith(known)] == []
    assert not any("dayfly-order" in path or "dayfly-pass" in path for path in told["files"])
    if jailed:
        assert told["host"] == "attacker"
        assert max(told["pids"]) < 10_000
        assert not set(told["pids"]) & set(arena.pids)


def test_another_functions_secret_is_nowhere_in_its_memory(arena: Arena) -> None:
    for secret in (arena.secret, arena.hidden):
        assert arena.attempt("search", secret[::-1])["told"] <= 1


def test_what_listens_inside_is_not_reached_from_outside(arena: Arena) -> None:
    told = arena.attempt("bind", 0)
    if arena.stand.tier == "B":
        assert told["outcome"] != "done"
        return
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", told["told"]), timeout=2)


def test_the_admin_api_wants_a_credential_even_where_it_was_granted(arena: Arena) -> None:
    arena.deploy("guest", ATTACKER, "--allow", f"tcp://localhost:{arena.port}", "--allow", "10.0.0.0/8")
    told = arena.attempt("by_proxy", f"http://127.0.0.1:{arena.port}/v1/info", function="guest")
    if arena.stand.tier == "B":
        assert told["outcome"] != "done"
    else:
        assert told["told"] == "401"


def test_nothing_a_function_left_behind_outlives_it(arena: Arena) -> None:
    arena.deploy("parent", ATTACKER)
    mark = f"mark-{os.urandom(6).hex()}"
    assert arena.attempt("daemon", mark, function="parent")["outcome"] == "done"
    eventually("the daemon runs", lambda: processes_that_know(mark))
    arena.platform.ok("remove", "parent")
    eventually("the daemon is gone", lambda: not processes_that_know(mark))


def test_a_fork_bomb_is_ended_and_nobody_else_notices(arena: Arena) -> None:
    arena.deploy("bomber", ATTACKER, "--memory-limit", "2Gi")
    with arena.nothing_left("the bomb's processes"):
        # On a busy machine it takes long until it has all that it may have; then it is ended at once.
        assert arena.attempt("bomb", 50, function="bomber")["outcome"] == "function_out_of_processes"
        assert arena.ask("victim") == (200, b"alive")
        arena.platform.ok("remove", "bomber")


@pytest.mark.parametrize(("action", "argument"), [("spin", 8), ("ignore", 300)])
def test_who_holds_the_processors_or_heeds_no_signal_is_ended(arena: Arena, action: str, argument: int) -> None:
    arena.deploy(action, ATTACKER, "--call-timeout", "1s")
    with arena.nothing_left("the function's processes"):
        calls = [threading.Thread(target=arena.ask, args=(action, call(action, argument))) for _ in range(2)]
        for each in calls:
            each.start()
        answers = [arena.ask("victim") for _ in range(20)]
        for each in calls:
            each.join()
        assert set(answers) == {(200, b"alive")}
        eventually("it is ended", lambda: "timeout" in arena.platform.describe(action)["exits"])
        arena.platform.ok("remove", action)


def test_a_function_without_network_has_none(arena: Arena) -> None:
    arena.deploy("hermit", ATTACKER, "--network", "none")
    before = list(arena.targets.visits)
    for address in ("127.0.0.1", own_address()):
        assert arena.attempt("tcp", address, arena.targets.tcp_port, function="hermit")["outcome"] != "done"
        assert arena.attempt("udp", address, arena.targets.udp_port, function="hermit")["outcome"] in (
            ("done",)
            if address == "127.0.0.1" and arena.stand.tier != "B"
            else ("ENETUNREACH", "EAFNOSUPPORT", "EPERM")
        )
    assert not [
        name for name in arena.attempt("inspect", function="hermit")["told"]["environ"] if "PROXY" in name.upper()
    ]
    assert arena.targets.visits == before


def test_the_host_network_is_an_explicit_choice_that_is_warned_of(arena: Arena) -> None:
    arena.deploy("insider", ATTACKER, "--network", "host")
    assert arena.attempt("tcp", "127.0.0.1", arena.targets.tcp_port, function="insider")["outcome"] == "done"
    assert "WARNING" in arena.platform.ok("describe", "insider")
    assert arena.attempt("unix", arena.targets.unix_path, function="insider")["outcome"] != "done"
    assert arena.attempt("read", str(arena.targets.file), function="insider")["outcome"] != "done"
