"""The spawner: what becomes of a start that meets a template at its end."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dayfly.runtimes.python import wire
from dayfly.runtimes.python.family import Template, channel_pair
from dayfly.runtimes.python.limits import Limits
from dayfly.runtimes.python.reactor import Reactor
from dayfly.runtimes.python.spawner import Spawner

LIMITS = Limits(1 << 28, 16, 0)


class Nursery:
    """Makes templates of a process that does nothing, and keeps their ends of the channels."""

    def __init__(self) -> None:
        self.ends: list[Any] = []
        self._made: list[Template] = []
        self._programs: list[subprocess.Popen[bytes]] = []

    def template(self, name: str, _order: int, _limits: Limits, *, own_net: bool, solo: bool) -> Template:
        """Make one."""
        near, far = channel_pair()
        self.ends.append(far)
        self._programs.append(subprocess.Popen(["sleep", "600"]))
        self._made.append(Template(name, self._programs[-1].pid, near, None, own_net=own_net, solo=solo))
        return self._made[-1]

    def doors(self, _template: Template, _limits: Limits) -> list[int]:
        """There are no groups to enter."""
        return []

    def close(self) -> None:
        """End all of them, and their replicas."""
        for template in self._made:
            for replica in template.replicas.values():
                replica.close()
                replica.close_papers()
            template.channel.close()
            os.close(template.pidfd)
        for end in self.ends:
            end.close()
        for program in self._programs:
            program.kill()
            program.wait()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    """The templates' processes end with the test."""
    made = Nursery()
    yield made
    made.close()


def order() -> int:
    """A descriptor that the spawner may close."""
    return os.open(os.devnull, os.O_RDONLY)


def test_a_start_that_meets_a_template_at_its_end_is_given_another(nursery: Nursery, tmp_path: Path) -> None:
    told: list[wire.FromZygote] = []
    lookout = SimpleNamespace(watch=lambda *_: None)
    spawner = Spawner(Reactor(), nursery, SimpleNamespace(), lookout, 0)  # type: ignore[arg-type]
    spawner.report = lambda message, _fds: told.append(message)
    spawner.start(wire.Start("one", "template", str(tmp_path / "one.sock"), LIMITS), order())
    nursery.ends[0].close()  # it ends, and the kernel has not told of it yet
    spawner.start(wire.Start("two", "template", str(tmp_path / "two.sock"), LIMITS), order())
    spawner.start(wire.Start("three", "template", str(tmp_path / "three.sock"), LIMITS), order())
    assert told == [wire.Taken("one"), wire.Taken("two"), wire.Taken("three")]
    assert [nursery.ends[1].recv(100) for _ in range(2)] == [b"two", b"three"]
    assert len(nursery.ends) == 2
