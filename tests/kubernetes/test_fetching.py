"""Code that a Function's object only names: an archive at an address, an image in a registry that wants a password."""

import hashlib
import io
import json
import secrets
import zipfile

import pytest
from tests.kubernetes.installation import FUNCTIONS, PLACE, PULL_SECRET, Installation, saying, until
from tests.kubernetes.servers import PASSWORD, REGISTRY_HOST, USER, archives, registry

pytestmark = pytest.mark.timeout(600)


def _apply(cluster: Installation, name: str, **spec: object) -> None:
    meta = {"name": name, "namespace": PLACE}
    obj = {"apiVersion": "dayfly.dev/v1", "kind": "Function", "metadata": meta, "spec": spec}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(obj))


def _told(cluster: Installation, name: str) -> str:
    """Return what the object's conditions say."""
    return cluster.kubectl("-n", PLACE, "get", "function.dayfly.dev", name, "-o", "jsonpath={.status.conditions}")


def _is_told(cluster: Installation, name: str, what: str) -> None:
    until(lambda: what in _told(cluster, name), f"{name} is not told {what!r}", lambda: _told(cluster, name))


def test_an_archive_at_an_address_is_deployed_and_another_one_is_told(cluster: Installation) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", saying("from afar"))
    right, python = hashlib.sha256(packed.getvalue()).hexdigest(), {"lang": "python", "runtime": "python"}
    with archives(cluster, {"/hello.zip": packed.getvalue()}) as at:
        _apply(cluster, "fetched", **python, archive={"url": f"{at}/hello.zip", "sha256": right})
        cluster.answers("fetched", "from afar")
        _apply(cluster, "fetched", **python, archive={"url": f"{at}/hello.zip", "sha256": "0" * 64})
        _is_told(cluster, "fetched", f"has the sha256 {right}, and not 000")
        cluster.answers("fetched", "from afar")  # what was deployed before goes on
        for url, why in ((f"{at}/none.zip", "answered 404"), (at.replace(":8000", ":8001"), "may not be fetched")):
            _apply(cluster, "fetched", **python, archive={"url": url, "sha256": right})
            _is_told(cluster, "fetched", why)
    cluster.kubectl("-n", PLACE, "delete", "function.dayfly.dev", "fetched")


def test_an_image_of_a_registry_that_wants_a_password_is_pulled_with_it(cluster: Installation) -> None:
    # A node keeps what it has pulled once, and asks nobody for it again.
    name, tar = f"{REGISTRY_HOST}/private/guarded:{secrets.token_hex(8)}", cluster.folder / "guarded.tar"
    cluster.build("guarded", saying("by who may pull"), name, tar)
    with registry(cluster, tar):
        _apply(cluster, "guarded", image=name)
        _is_told(cluster, "guarded", "its image cannot be pulled")
        login = ("docker-registry", PULL_SECRET, f"--docker-server={REGISTRY_HOST}")
        word = (f"--docker-username={USER}", f"--docker-password={PASSWORD}")
        cluster.kubectl("-n", FUNCTIONS, "create", "secret", *login, *word)
        try:
            _apply(cluster, "guarded", image=name, env={"AGAIN": "1"})
            cluster.answers("guarded", "by who may pull")
        finally:
            cluster.kubectl("-n", FUNCTIONS, "delete", "secret", PULL_SECRET)
            cluster.kubectl("-n", PLACE, "delete", "function.dayfly.dev", "guarded")
