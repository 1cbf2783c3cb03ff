"""No call fails, whatever becomes of a function: revisions come on trial, take over and go back, replicas come and go.

Callers call all the time, in the cluster and by the gateways' Service. That gateways are exchanged is in test_losses.
"""

import json

import pytest
from tests.kubernetes.callers import calling
from tests.kubernetes.installation import FUNCTIONS, Installation, until

pytestmark = pytest.mark.timeout(600)


_SLOWLY = """\
import asyncio, os

async def handle(event, context):
    await asyncio.sleep(0.2)
    return os.environ["SAYS"]
"""
"""Some of its calls are under way whenever something happens."""


def _answers_only(cluster: Installation, name: str, *texts: str) -> None:
    until(lambda: {cluster.call(name).text for _ in range(12)} == set(texts), f"{name} does not answer {texts}")


@pytest.mark.parametrize("kind", ["code", "image"])
def test_no_call_fails_while_revisions_and_replicas_change(cluster: Installation, kind: str) -> None:
    name = f"changed-{kind}"

    code = ("--image", cluster.image(name, _SLOWLY, "1")) if kind == "image" else ()

    def deploy(text: str, *options: str) -> None:
        given = (*options, "--env", f"SAYS={text}")
        if code:
            cluster.dayfly("deploy", name, *code, *given)
        else:
            cluster.deploy(name, _SLOWLY, *given)

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
        if kind == "image":
            until(lambda: _counts(cluster, name) == [3], "it is not one Deployment", lambda: _counts(cluster, name))
        cluster.dayfly("scale", name, "1")
        cluster.scaled(name, 1)
        callers.go_on(20)
        seen = callers.stop()
    assert set(seen) == {"200 r1", "200 r2", "200 r3"}
    revisions = json.loads(cluster.dayfly("revisions", name, "-o", "json"))
    assert {each["number"] for each in revisions} == {1, 2, 3}, "something was deployed twice"
    cluster.dayfly("scale", name, "0")
    cluster.scaled(name, 0)
    cluster.answers(name, "r2")
    cluster.dayfly("remove", name)
    until(lambda: not _counts(cluster, name), "its Deployment is still there")
    until(lambda: not cluster.pods_of(name), "its pods are still there")


def _counts(cluster: Installation, name: str) -> list[int]:
    """Return how many pods each Deployment of a function is to have: there is one a revision that is of use."""
    found = cluster.objects("deployments", FUNCTIONS, "-l", f"dayfly.dev/function={name}")
    return [each["spec"]["replicas"] for each in found]
