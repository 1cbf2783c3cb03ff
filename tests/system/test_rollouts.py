"""Revisions under load: no call fails while they take over from each other, and what never works is never called."""

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.driver import DEADLINE_S, Platform, children_of, eventually, kill
from tests.system.load import Callers

from dayfly.client.blocking import Client
from dayfly.client.bundle import pack
from dayfly.client.gateway import choose_target
from dayfly.model.function import FunctionSpec
from dayfly.model.status import FunctionStatus

REDEPLOYS = 200
NUMBERED = """
import os
import time

NUMBER = os.environ["NUMBER"]

def handle(event, context):
    time.sleep(float(event.body or 0))
    return NUMBER
"""
BROKEN = "raise RuntimeError('this revision never works')\n"


class Author:
    """Somebody who deploys by the API, which is quicker than the command line."""

    def __init__(self, platform: Platform, client: Client, scratch: Path) -> None:
        self.platform = platform
        self.client = client
        self._scratch = scratch

    def upload(self, name: str, code: str) -> str:
        """Upload code and return its digest."""
        folder = self._scratch / name
        folder.mkdir()
        (folder / "handler.py").write_text(code)
        bundle = pack(folder)
        self.client.upload(bundle)
        return bundle.digest

    def deploy(self, name: str, bundle: str, number: int, *, timeout: str = "", replicas: int = 1) -> FunctionStatus:
        """Deploy a revision that answers with its number."""
        labels = {"com.openfaas.scale.min": str(replicas)}
        env = {"NUMBER": str(number)}
        return self.client.deploy(FunctionSpec(name=name, bundle=bundle, env=env, timeout=timeout, labels=labels))

    def serves(self, name: str, number: int) -> None:
        """Return once the rollouts are over and this is what serves."""

        def is_so() -> bool:
            status = self.client.get_function(name)
            return status.rollout is None and status.spec.env["NUMBER"] == str(number) and status.state == "ready"

        eventually(f"{name} {number} serves", is_so)

    def running(self, name: str) -> set[int]:
        """Return the revisions that have replicas."""
        return {replica.revision for replica in self.client.get_function(name).replicas}

    def ask(self, name: str) -> bytes:
        """Call the function once; empty when it failed."""
        with self.connected() as connection:
            connection.request("POST", f"/function/{name}")
            answer = connection.getresponse()
            body = answer.read()
            return body if answer.status == 200 else b""

    @contextlib.contextmanager
    def connected(self) -> Iterator[http.client.HTTPConnection]:
        """A connection to the gateway, closed in the end."""
        connection = self.connect()
        try:
            yield connection
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to the gateway."""
        host, _, port = self.client.url.removeprefix("http://").partition(":")
        return http.client.HTTPConnection(host, int(port), timeout=DEADLINE_S)


@pytest.fixture(scope="module")
def author(shared_platform: Platform) -> Iterator[Author]:
    target = choose_target(data_dir=str(shared_platform.data_dir), environ={})
    with Client(target=target) as client:
        yield Author(shared_platform, client, shared_platform.data_dir.parent)


def test_no_call_fails_over_two_hundred_redeployments(author: Author) -> None:
    bundle = author.upload("steady", NUMBERED)
    author.deploy("steady", bundle, 0, replicas=2)
    author.serves("steady", 0)
    with Callers(author.connect, "/function/steady", kept=2, fresh=2, body=b"0.003") as callers:
        for number in range(1, REDEPLOYS + 1):
            author.deploy("steady", bundle, number, replicas=2)
            # Every other one is overtaken by the next before it can take over.
            if number % 2 == 0:
                author.serves("steady", number)
    assert callers.lost == []
    assert len(callers.answers) > REDEPLOYS / 4, "too few revisions were called to prove anything"
    eventually("only the last has replicas", lambda: author.running("steady") == {REDEPLOYS + 1})


def test_what_never_gets_ready_gets_no_call_whatever_dies_meanwhile(author: Author) -> None:
    good = author.upload("guarded", NUMBERED)
    bad = author.upload("guarded-broken", BROKEN)
    author.deploy("guarded", good, 1)
    author.serves("guarded", 1)
    author.deploy("guarded", bad, 2)
    goes_on(author, "it fails")
    status = author.client.get_function("guarded")
    assert status.rollout is not None
    assert (status.rollout.serving, status.rollout.revision, status.ready_replicas) == (1, 2, 1)
    assert "this revision never works" in status.rollout.reason
    for pid in children_of(author.platform.pids("zygote")[0]):
        with contextlib.suppress(ProcessLookupError):  # it ended with its parent
            kill(pid)
    eventually("it is back", lambda: author.ask("guarded") == b"1")
    goes_on(author, "it fails, and the other was killed")
    control = author.platform.pids("control")[0]
    with Callers(author.connect, "/function/guarded", kept=1, fresh=1) as callers:
        kill(control)
        eventually("the control plane is back", lambda: author.platform.pids("control") not in ([], [control]))
        eventually("it answers", lambda: author.platform.run("list").code == 0)
    assert (callers.lost, set(callers.answers)) == ([], {b"1"})
    goes_on(author, "it fails, and the control plane was killed")
    author.deploy("guarded", good, 3)
    author.serves("guarded", 3)


def goes_on(author: Author, while_: str) -> None:
    """See that the candidate fails again, and that all calls go to the other meanwhile."""

    def fails() -> bool:
        rollout = author.client.get_function("guarded").rollout
        return rollout is not None and rollout.state == "failing"

    with Callers(author.connect, "/function/guarded", kept=1, fresh=1) as callers:
        eventually(while_, fails)
    assert (callers.lost, set(callers.answers)) == ([], {b"1"}), while_


def test_a_replica_that_drains_has_its_own_revisions_time(author: Author) -> None:
    bundle = author.upload("patient", NUMBERED)
    author.deploy("patient", bundle, 1, timeout="30s")
    author.serves("patient", 1)
    with author.connected() as connection:
        connection.request("POST", "/function/patient", b"6")
        eventually("it runs", lambda: author.platform.describe("patient")["ready_replicas"])
        author.deploy("patient", bundle, 2, timeout="3s")
        author.serves("patient", 2)
        assert author.ask("patient") == b"2"
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"1")
