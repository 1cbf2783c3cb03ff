"""Profiles: the hottest leaves first, by process, without this machine's folders."""

from bench.profiles import hottest, slowest_imports

_STACKS = """\
process 1:"python -m dayfly.server.gateway_process x";main (serve.py:1);read (a/b/http1/wire.py:7) 30
process 1:"python -m dayfly.server.gateway_process x";main (serve.py:1);send (a/b/http1/wire.py:9) 10
process 1:"python -m dayfly.server.gateway_process x";main (serve.py:1);read (a/b/http1/wire.py:7) 20
process 2:"python -I -S /x/zygote.py";loop (/x/python/reactor.py:3) 40
"""
_IMPORTS = """import time: self [us] | cumulative | imported package
import time:       150 |        150 |   _io
import time:      2500 |       9000 | json
import time:       700 |        700 |   enum
"""


def test_hottest_adds_up_leaves_by_process() -> None:
    assert hottest(_STACKS, 2) == (
        " 50.0%  dayfly.server.gateway_process: read (http1/wire.py:7)",
        " 40.0%  zygote.py: loop (python/reactor.py:3)",
    )


def test_hottest_of_nothing_is_empty() -> None:
    assert hottest("") == ()


def test_slowest_imports_are_ordered_by_their_own_time() -> None:
    assert slowest_imports(_IMPORTS, 2) == ("    2.5  json", "    0.7  enum")
