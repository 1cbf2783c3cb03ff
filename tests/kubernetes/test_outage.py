"""The API server is away for longer than a Lease lasts: warm calls go on, and all is as before when it is back.

It takes a command that stops the API server, with its port closed, and one that starts it again.
"""

import os
import shlex
import time

import pytest
from tests.kubernetes.callers import calling
from tests.kubernetes.installation import Installation, saying, until
from tests.kubernetes.standing import serves

pytestmark = pytest.mark.timeout(900)
_COMMAND = "DAYFLY_TEST_API_SERVER"
_AWAY_S = 65.0
"""The Lease is lost after ten seconds without it, and another control plane would be there after fifteen."""


@pytest.fixture
def api_server() -> list[str]:
    """The command that is told `stop` or `start`; the API server is there again in the end."""
    command = shlex.split(os.environ.get(_COMMAND, ""))
    if not command:
        pytest.skip(f"nobody says how the API server is stopped: set {_COMMAND} (docs/kubernetes.md, Testing)")
    return command


def test_warm_calls_go_on_while_the_api_server_is_away(cluster: Installation, api_server: list[str]) -> None:
    cluster.deploy("outlasting", saying("still"))
    cluster.answers("outlasting", "still")
    with calling(cluster, "outlasting", 2) as callers:
        cluster.let_go()  # what is forwarded goes by way of it
        before = callers.seen().total()
        cluster.run(*api_server, "stop")
        try:
            assert cluster.tried("kubectl", "get", "--raw", "/readyz").returncode != 0
            time.sleep(_AWAY_S)  # the outage itself
        finally:
            cluster.run(*api_server, "start")
        until(lambda: cluster.tried("kubectl", "get", "--raw", "/readyz").returncode == 0, "it does not come back")
        cluster.forward()
        until(lambda: serves(cluster), "no control plane works")
        cluster.log_in()
        callers.go_on()
        seen = callers.stop()
    assert set(seen) == {"200 still"}
    assert seen.total() > before + _AWAY_S * 10, "they did not call meanwhile"
    cluster.deploy("outlasting", saying("anew"))
    cluster.answers("outlasting", "anew")
    cluster.apply("applied-after", saying("by kubectl"))
    cluster.answers("applied-after", "by kubectl")
    cluster.dayfly("scale", "outlasting", "0")
    cluster.scaled("outlasting", 0)
    cluster.answers("outlasting", "anew")
    for name in ("outlasting", "applied-after"):
        cluster.dayfly("remove", name)
