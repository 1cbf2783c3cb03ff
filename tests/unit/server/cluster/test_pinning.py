"""What tags mean on a cluster: asked once, with the nodes' login, and left alone where nobody can be asked."""

import asyncio
import base64
import json
from typing import Any

import pytest
from tests.contract.storage.stage import cluster, connect

from dayfly.model.errors import DayflyError, Unauthenticated, Unavailable
from dayfly.oci.credentials import Login
from dayfly.oci.reference import Reference
from dayfly.server.cluster.pinning import Pins

DIGEST = "sha256:" + "a" * 64
NAME = "registry.example.com/team/hello:1"


def asked(
    name: str, pinned: str = "", *, answer: str | DayflyError = DIGEST, secrets: Any = ()
) -> tuple[str, list[Any]]:
    """Return what a name means, and who was asked for it with which login."""
    double, questions = cluster(), list[Any]()
    for secret, kind, config in secrets:
        data = {".dockerconfigjson": base64.b64encode(config).decode()}
        made = {"metadata": {"name": secret}, "type": kind, "data": data}
        double.create("secrets", "elsewhere", made)

    async def find(reference: Reference, login: Login | None) -> str:
        questions.append((str(reference), login))
        if isinstance(answer, DayflyError):
            raise answer
        return answer

    async def main() -> str:
        async with connect(double) as api:
            return await Pins(api, "elsewhere", ("none", "other", "registry"), find).pin(name, pinned)

    return asyncio.run(main()), questions


def test_a_tag_becomes_a_digest_and_stays_it() -> None:
    found, questions = asked(NAME)
    assert found == f"registry.example.com/team/hello@{DIGEST}"
    assert questions == [(NAME, None)]
    assert asked(NAME, found) == (found, [])
    assert asked("hello")[0] == f"hello@{DIGEST}"


@pytest.mark.parametrize("name", [f"a/b@{DIGEST}", f"a/b:1@{DIGEST}", "localhost:5000/a:1", "127.0.0.1:5000/a:1"])
def test_what_means_one_thing_or_another_on_each_node_is_not_asked_for(name: str) -> None:
    assert asked(name) == (name, [])


@pytest.mark.parametrize("answer", ["", Unavailable("silent"), Unauthenticated("who are you")])
def test_who_cannot_be_asked_leaves_the_tag(answer: Any) -> None:
    assert asked(NAME, answer=answer)[0] == NAME


def test_the_login_is_the_one_that_nodes_have() -> None:
    config = json.dumps({"auths": {"registry.example.com": {"auth": base64.b64encode(b"me:secret").decode()}}}).encode()
    kind = "kubernetes.io/dockerconfigjson"
    assert asked(NAME, secrets=[("registry", kind, config)])[1] == [(NAME, Login("me", "secret"))]
    for secrets in ([("registry", "Opaque", config)], [("registry", kind, b"{}")], [("unnamed", kind, config)]):
        assert asked(NAME, secrets=secrets)[1] == [(NAME, None)]
