"""The protocol as a real registry speaks it, with another tool's word for what arrived."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.contract.registry.cutting_proxy import CuttingProxy
from tests.contract.registry.real import PASSWORD, USER, RealRegistry, why_none
from tests.contract.registry.token_server import IDENTITY, TokenServer
from tests.unit.oci.making import put_image, tar_of
from tests.unit.oci.registry.test_push import put_index

from dayfly.model.errors import NotFound, Unauthenticated, Unavailable
from dayfly.oci.credentials import Login
from dayfly.oci.image import choose, load
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor
from dayfly.oci.platform import parse_platform
from dayfly.oci.reference import Reference, parse_reference
from dayfly.oci.registry import upload as uploading
from dayfly.oci.registry.connect import connect
from dayfly.oci.registry.progress import Step
from dayfly.oci.registry.pull import pull
from dayfly.oci.registry.push import push
from dayfly.oci.registry.referrers import referrers
from dayfly.oci.registry.session import Session

LAYERS = [tar_of({"hello": b"hello"}), tar_of({"noise": os.urandom(300_000)})]
LOGIN = Login(USER, PASSWORD)


@pytest.fixture
def here(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "there")


def with_session(connection: AbstractAsyncContextManager[Session], use: Callable[[Session], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with connection as session:
            return await use(session)

    return asyncio.run(main())


def put(registry: RealRegistry, name: str, layout: Layout, image: Descriptor, **options: Any) -> Reference:
    """Push an image and return its reference."""
    reference = parse_reference(f"{registry.host}/{name}")
    with_session(connect(reference, **options), lambda session: push(session, layout, image, reference))
    return reference


def get(reference: Reference, layout: Layout, *platforms: str, **options: Any) -> Descriptor:
    wanted = [parse_platform(each) for each in platforms]
    found = with_session(connect(reference, **options), lambda session: pull(session, reference, layout, wanted))
    assert isinstance(found, Descriptor)
    return found


def skopeo(*arguments: str) -> str:
    if not shutil.which("skopeo"):
        pytest.skip("there is no skopeo; scripts/setup.sh installs it where it can")
    done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_image_goes_up_and_comes_down_the_same(open_registry: RealRegistry, here: Layout, there: Layout) -> None:
    image = put_image(here, *LAYERS)
    reference = put(open_registry, "plain/app:1", here, image)
    assert get(reference, there).digest == image.digest
    found = load(there, there.find(str(reference)))
    for layer in found.manifest.layers:
        assert there.path(layer).read_bytes() == here.path(layer).read_bytes()


def test_skopeo_finds_what_we_pushed(open_registry: RealRegistry, here: Layout) -> None:
    image = put_image(here, *LAYERS, Env=["A=b"])
    reference = put(open_registry, "skopeo/ours:1", here, image)
    told = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{reference}"))
    assert (told["Digest"], told["Env"], told["Architecture"]) == (image.digest, ["A=b"], "amd64")
    config = skopeo("inspect", "--config", "--raw", "--tls-verify=false", f"docker://{reference}")
    assert config.encode() == here.read(load(here, image).manifest.config)


def test_we_find_what_skopeo_pushed(open_registry: RealRegistry, here: Layout, there: Layout) -> None:
    image = put_image(here, *LAYERS, name="app")
    name = f"{open_registry.host}/skopeo/theirs:1"
    source = f"oci:{here.folder}:app"
    skopeo("copy", "--dest-tls-verify=false", "--preserve-digests", source, f"docker://{name}")
    assert get(parse_reference(name), there, "linux/amd64").digest == image.digest
    skopeo("copy", "--dest-tls-verify=false", "--format", "v2s2", source, f"docker://{name}-docker")
    entry = get(parse_reference(f"{name}-docker"), there)
    assert entry.media_type == "application/vnd.docker.distribution.manifest.v2+json"
    assert load(there, entry).config == load(here, image).config


def test_an_index_is_there_for_each_of_its_platforms(open_registry: RealRegistry, here: Layout, there: Layout) -> None:
    index = put_index(here)
    reference = put(open_registry, "several/app:1", here, index)
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}")
    assert raw.encode() == here.read(index)
    for architecture in ("amd64", "arm64"):
        told = skopeo("inspect", "--tls-verify=false", f"--override-arch={architecture}", f"docker://{reference}")
        assert json.loads(told)["Architecture"] == architecture
    assert get(reference, there, "linux/arm64") == index
    arm = load(there, choose(there, index, parse_platform("linux/arm64")))
    assert all(there.has(layer) for layer in arm.manifest.layers)
    with pytest.raises(NotFound, match="no linux/s390x"):
        get(reference, there, "linux/s390x")


def test_a_second_push_sends_nothing(open_registry: RealRegistry, here: Layout) -> None:
    image = put_image(here, *LAYERS)
    reference = put(open_registry, "twice/app:1", here, image)
    steps: list[Step] = []
    again = reference.tagged("2")
    with_session(connect(again), lambda session: push(session, here, image, again, progress=steps.append))
    assert {step.state for step in steps} == {"present"}


def test_a_base_s_layers_are_taken_over_within_the_registry(open_registry: RealRegistry, here: Layout) -> None:
    base = put_image(here, *LAYERS)
    put(open_registry, "bases/one:1", here, base)
    document = json.loads(here.read(base))
    document["annotations"] = {"org.opencontainers.image.base.name": f"{open_registry.host}/bases/one:1"}
    image = here.put(json.dumps(document).encode(), base.media_type)
    reference = parse_reference(f"{open_registry.host}/mounted/app:1")
    steps: list[Step] = []
    with_session(connect(reference), lambda session: push(session, here, image, reference, progress=steps.append))
    assert [step.state for step in steps] == ["mounted"] * 3
    assert open_registry.blobs("mounted/app") == open_registry.blobs("bases/one")


def test_an_upload_goes_on_with_a_registry_that_came_back(
    open_registry: RealRegistry, here: Layout, there: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "WHOLE", 100_000)
    monkeypatch.setattr(uploading, "CHUNK", 1_000_000)
    image = put_image(here, tar_of({"large": os.urandom(4_000_000)}))
    reference = parse_reference(f"{open_registry.host}/returned/app:1")
    send, chunks, breaks = uploading._Upload._send_chunk, [], []

    async def send_and_stop(upload: Any) -> None:
        chunks.append(upload._offset)
        await send(upload)
        if len(chunks) == 3:
            open_registry.stop()

    async def use(session: Session) -> None:
        async def come_back(_: float) -> None:
            breaks.append(len(chunks))
            open_registry.start()

        session._sleep = come_back
        await push(session, here, image, reference)

    monkeypatch.setattr(uploading._Upload, "_send_chunk", send_and_stop)
    with_session(connect(reference), use)
    assert breaks == [4]
    assert chunks == [0, 1_000_000, 2_000_000, 3_000_000, 3_000_000, 4_000_000]
    assert get(reference, there).digest == image.digest


def test_an_upload_that_is_cut_in_a_chunk_arrives_all_the_same(
    open_registry: RealRegistry, here: Layout, there: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "WHOLE", 100_000)
    image = put_image(here, tar_of({"large": os.urandom(2_000_000)}))
    way = CuttingProxy(open_registry.port, [700_000] * 3)

    async def use(session: Session) -> None:
        session._sleep = lambda _: asyncio.sleep(0)
        await push(session, here, image, reference)

    try:
        reference = parse_reference(f"{way.host}/cut/app:1")
        with_session(connect(reference), use)
        assert way.done == 3
        assert get(parse_reference(f"{open_registry.host}/cut/app:1"), there).digest == image.digest
    finally:
        way.close()


def test_a_password_is_wanted_and_taken(
    closed_registry: RealRegistry, here: Layout, there: Layout, no_logins: dict[str, str]
) -> None:
    image = put_image(here, *LAYERS)
    for login, why in ((None, "none is kept for it"), (Login(USER, "wrong"), "the login .* as tester is not good")):
        with pytest.raises(Unauthenticated, match=why):
            put(closed_registry, "team/app:1", here, image, login=login, environ=no_logins)
    reference = put(closed_registry, "team/app:1", here, image, login=LOGIN)
    assert get(reference, there, login=LOGIN).digest == image.digest


def test_a_login_of_docker_s_is_found(
    closed_registry: RealRegistry, here: Layout, tmp_path: Path, no_logins: dict[str, str]
) -> None:
    entry = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {closed_registry.host: entry}}))
    environ = {**no_logins, "DOCKER_CONFIG": str(tmp_path)}
    put(closed_registry, "docker/app:1", here, put_image(here, *LAYERS), environ=environ)


@pytest.mark.parametrize("login", [LOGIN, Login(identity_token=IDENTITY)], ids=["password", "identity token"])
def test_tokens_are_fetched_for_what_is_done(
    token_registry: RealRegistry, token_server: TokenServer, here: Layout, there: Layout, login: Login
) -> None:
    token_server.asked.clear()
    image = put_image(here, *LAYERS)
    reference = put(token_registry, f"team/{'b' if login.username else 'a'}:1", here, image, login=login)
    assert get(reference, there, login=login).digest == image.digest
    assert {method for method, _ in token_server.asked} == {"GET" if login.username else "POST"}
    scopes = [scope for _, each in token_server.asked for scope in each]
    assert set(scopes) == {f"repository:{reference.repository}:{each}" for each in ("pull", "pull,push")}
    assert len(scopes) == 3


def test_what_a_token_does_not_grant_is_refused(
    token_registry: RealRegistry, here: Layout, there: Layout, no_logins: dict[str, str]
) -> None:
    image = put_image(here, *LAYERS)
    reference = put(token_registry, "public/app:1", here, image, login=LOGIN)
    assert get(reference, there, environ=no_logins).digest == image.digest
    other = put_image(here, LAYERS[0])
    with pytest.raises(Unauthenticated, match="could not take"):
        put(token_registry, "public/app:1", here, other, environ=no_logins)
    with pytest.raises(Unauthenticated, match="could not give a token"):
        put(token_registry, "public/app:1", here, other, login=Login(USER, "wrong"))


def test_a_certificate_is_trusted_by_who_names_its_authority(
    tmp_path: Path, here: Layout, no_logins: dict[str, str]
) -> None:
    if why := why_none():
        pytest.skip(why)
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(tmp_path / "cert.pem", append=True)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    registry = RealRegistry(tls=(tmp_path / "cert.pem", tmp_path / "key.pem"))
    try:
        image = put_image(here, *LAYERS)
        with pytest.raises(Unavailable, match=r"The certificate of localhost:.* is not trusted"):
            put(registry, "tls/app:1", here, image, environ=no_logins)
        assert registry.blobs("tls/app") == set()
        put(registry, "tls/app:1", here, image, environ={**no_logins, "DAYFLY_CA_FILE": str(tmp_path / "ca.pem")})
        put(registry, "tls/other:1", here, image, environ=no_logins, insecure=True)
    finally:
        registry.close()


def test_what_belongs_to_an_image_is_found_from_it(open_registry: RealRegistry, here: Layout) -> None:
    from tests.unit.oci.registry.test_push import artifact

    image = put_image(here, *LAYERS)
    added = artifact(here, image)
    reference = parse_reference(f"{open_registry.host}/signed/app:1")

    async def use(session: Session) -> list[Descriptor]:
        await push(session, here, image, reference, gate=lambda *_: [added])
        return await referrers(session, reference, image.digest)

    assert [each.digest for each in with_session(connect(reference), use)] == [added.digest]
    assert skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference.at(added.digest)}")
