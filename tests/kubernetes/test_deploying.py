"""No call fails, whatever becomes of a function: revisions come on trial, take over and go back, replicas come and go.

Callers call all the time, in the cluster and by the gateways' Service. That gateways are exchanged is in test_losses.
"""

import pytest
from tests.kubernetes.callers import calling
from tests.kubernetes.installation import Installation, until

pytestmark = pytest.mark.timeout(600)


def _slowly(text: str) -> str:
    """Return a handler whose calls are always under way when something happens."""
    return f"import asyncio\n\nasync def handle(event, context):\n    await asyncio.sleep(0.2)\n    return {text!r}\n"


def _answers_only(cluster: Installation, name: str, *texts: str) -> None:
    until(lambda: {cluster.call(name).text for _ in range(12)} == set(texts), f"{name} does not answer {texts}")


@pytest.mark.parametrize("kind", ["code", "image"])
def test_no_call_fails_while_revisions_and_replicas_change(cluster: Installation, kind: str) -> None:
    name = f"changed-{kind}"

    def deploy(text: str, *options: str) -> None:
        if kind == "code":
            cluster.deploy(name, _slowly(text), *options)
        else:
            cluster.dayfly("deploy", name, "--image", cluster.image(name, _slowly(text), text), *options)

    deploy("r1")
    cluster.answers(name, "r1")
    with calling(cluster, name) as callers:
        cluster.dayfly("scale", name, "2")
        cluster.scaled(name, 2)
        deploy("r2")
        _answers_only(cluster, name, "r2")
        deploy("r3", "--canary", "50", "--canary-no-promote")
        _answers_only(cluster, name, "r2", "r3")
        cluster.dayfly("promote", name)
        _answers_only(cluster, name, "r3")
        cluster.dayfly("rollback", name)
        _answers_only(cluster, name, "r2")
        cluster.dayfly("scale", name, "3")
        cluster.scaled(name, 3)
        cluster.dayfly("scale", name, "1")
        cluster.scaled(name, 1)
        callers.go_on(20)
        seen = callers.stop()
    assert set(seen) == {"200 r1", "200 r2", "200 r3"}
    cluster.dayfly("remove", name)
