"""What an image's name means: who is asked first, and what stays of the deployment."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from dayfly.catalog.bundles import bundle_of
from dayfly.catalog.entries import get_entry
from dayfly.control.images import STORE_LANG, Code, Images
from dayfly.control.store_images import StoreImages
from dayfly.model.engine import ContainerEngine, EngineState
from dayfly.model.errors import InvalidSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.image import IMAGE_ANNOTATION
from dayfly.model.names import BundleDigest, NamespaceName, parse_bundle_digest

BUNDLE = parse_bundle_digest("sha256:" + "a" * 64)
BUILT = Code(
    bundle=parse_bundle_digest("sha256:" + "b" * 64),
    runtime="http",
    lang="go",
    process="./main",
    env={"A": "1", "B": "1"},
)
FIGLET = "ghcr.io/openfaas/figlet:latest"
PINNED = "functions/figlet@sha256:" + "c" * 64
ENGINE = EngineState(engine=ContainerEngine(name="Docker", version="20", socket="/s"))
NO_ENGINE = EngineState(reason="there is none")


class Kept:
    """Bundles in a dict, and how often one was written."""

    def __init__(self) -> None:
        self.data: dict[tuple[str, str], bytes] = {}
        self.puts = 0

    async def has(self, namespace: NamespaceName, digest: BundleDigest) -> bool:
        return (namespace, digest) in self.data

    async def put(
        self, namespace: NamespaceName, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int
    ) -> int:
        self.data[namespace, digest] = b"".join([chunk async for chunk in chunks])
        self.puts += 1
        assert len(self.data[namespace, digest]) <= limit_bytes
        return limit_bytes


class Built:
    """A source that has one image."""

    async def find(self, spec: FunctionSpec) -> Code | None:
        return BUILT if spec.image == "me/built:1" and spec.namespace == "openfaas-fn" else None


def resolve(kept: Kept | None = None, engine: EngineState = NO_ENGINE, **fields: object) -> FunctionSpec:
    images = Images(sources=[Built()], store=StoreImages(kept or Kept(), lambda: engine))
    asked = FunctionSpec(**{"name": "fn", "runtime": "image", "lang": "image", **fields})  # type: ignore[arg-type]
    found = asyncio.run(images.resolve(asked))
    assert found.image == asked.image, "it is echoed to the byte"
    found.check()
    return found


@pytest.mark.parametrize("engine", [ENGINE, NO_ENGINE])
@pytest.mark.parametrize("image", [FIGLET, "functions/figlet", "docker.io/functions/figlet:1", "dayfly/figlet:latest"])
def test_a_well_known_image_is_ours(engine: EngineState, image: str) -> None:
    spec = resolve(engine=engine, image=image, env={"A": "1"}, limits=None)
    assert spec.bundle == bundle_of(get_entry("figlet"))[1]
    assert (spec.runtime, spec.lang, spec.network, spec.env) == ("python", STORE_LANG, "none", {"A": "1"})


def test_the_bundle_is_in_the_functions_namespace_and_written_once() -> None:
    kept = Kept()
    for _ in range(2):
        resolve(kept, image=FIGLET, namespace="team")
    assert (list(kept.data), kept.puts) == ([("team", bundle_of(get_entry("figlet"))[1])], 1)
    assert next(iter(kept.data.values())) == bundle_of(get_entry("figlet"))[0]


@pytest.mark.parametrize(
    ("process", "runtime", "runs", "name"),
    [
        ("", "exec", "cat", "cat"),
        ("env", "exec", "env", "cat"),
        ("sha512sum", "exec", "sha512sum", "cat"),
        ("cat /etc/hostname", "exec", "cat /etc/hostname", "cat"),
        ("figlet", "python", "figlet", "figlet"),
        ("figlet -c", "exec", "figlet -c", "cat"),
    ],
)
def test_an_image_of_programs_runs_the_one_that_is_asked_for(process: str, runtime: str, runs: str, name: str) -> None:
    spec = resolve(image="functions/alpine:latest", process=process)
    assert (spec.runtime, spec.process, spec.bundle) == (runtime, runs, bundle_of(get_entry(name))[1])


@pytest.mark.parametrize("image", [PINNED, "registry.corp:5000/openfaas/figlet:1", "localhost/functions/figlet"])
def test_what_promises_other_bytes_is_a_container_where_one_can_run(image: str) -> None:
    assert resolve(engine=NO_ENGINE, image=image).runtime == "python"
    assert (resolve(engine=ENGINE, image=image).runtime, resolve(engine=ENGINE, image=image).bundle) == ("image", "")
    assert resolve(engine=ENGINE, image=image, annotations={IMAGE_ANNOTATION: "native"}).runtime == "python"


@pytest.mark.parametrize("image", [FIGLET, "me/built:1"])
def test_who_wants_a_container_gets_one(image: str) -> None:
    spec = resolve(image=image, bundle=BUNDLE, handler="main:app", annotations={IMAGE_ANNOTATION: "container"})
    assert (spec.runtime, spec.bundle, spec.handler, spec.lang) == ("image", "", "handler", "image")


def test_what_was_built_here_comes_before_all_else_and_is_run_as_it_says() -> None:
    spec = resolve(image="me/built:1", bundle=BUNDLE, lang="python", env={"A": "2"})
    assert (spec.bundle, spec.runtime, spec.lang, spec.process) == (BUILT.bundle, "http", "go", "./main")
    assert (spec.env, spec.network) == ({"A": "2", "B": "1"}, "proxy")
    assert resolve(image="me/built:1", namespace="team").runtime == "image", "another's build means nothing"


def test_code_of_the_authors_stays_and_code_of_the_store_becomes_the_present_versions() -> None:
    own = resolve(image=FIGLET, bundle=BUNDLE, runtime="python", lang="python", handler="main:app")
    assert (own.bundle, own.handler) == (BUNDLE, "main:app")
    old = resolve(image=FIGLET, bundle=BUNDLE, runtime="python", lang=STORE_LANG)
    assert old.bundle == bundle_of(get_entry("figlet"))[1]
    gone = resolve(engine=ENGINE, image=PINNED, bundle=BUNDLE, runtime="python", lang=STORE_LANG)
    assert gone.bundle == BUNDLE, "what the store has no more goes on as it was"


def test_an_image_that_nobody_knows_is_an_image() -> None:
    assert resolve(image="me/other:1").runtime == "image"
    with pytest.raises(InvalidSpec, match="no code is here for the image me/other:1"):
        resolve(image="me/other:1", annotations={IMAGE_ANNOTATION: "native"})
    with pytest.raises(InvalidSpec, match="'both' must be container or native"):
        resolve(image=FIGLET, annotations={IMAGE_ANNOTATION: "both"})
