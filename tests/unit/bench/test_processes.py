"""Memory as the kernel's rollup states it, and the processes below one."""

import os
import subprocess
import sys

from bench.processes import Cpu, Memory, command_line, cpu, memory, name, parse_rollup, tree

_ROLLUP = """55d0c0000000-7ffd00000000 ---p 00000000 00:00 0    [rollup]
Rss:               20480 kB
Pss:                4096 kB
Pss_Dirty:          1024 kB
Shared_Clean:      10240 kB
Private_Clean:       512 kB
Private_Dirty:      1536 kB
"""


def test_rollup_is_read_in_bytes() -> None:
    assert parse_rollup(_ROLLUP) == Memory(pss=4096 * 1024, private=2048 * 1024)


def test_tree_holds_children_and_their_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = tree(os.getpid())
        size = memory(child.pid)
        line = command_line(child.pid)
        child.communicate(b"\n", timeout=30)
    assert found[0] == os.getpid()
    assert child.pid in found
    assert 0 < size.private <= size.pss
    assert "input()" in line


def test_process_that_ended_uses_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait(60)
    assert memory(child.pid) == Memory(0, 0)
    assert cpu(child.pid) == Cpu(0, 0)
    assert command_line(child.pid) == ""
    assert name(child.pid) == "ended"


def test_processor_time_is_what_the_process_itself_is_told() -> None:
    before, between, after = os.times(), cpu(os.getpid()), os.times()
    assert before.user <= between.user <= after.user
    assert before.system <= between.system <= after.system
