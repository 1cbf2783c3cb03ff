"""What others write of functions becomes wishes; what we write does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from lightkube.config.kubeconfig import KubeConfig
from tests.cluster.resources import Object
from tests.cluster.server import Double

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import FUNCTION
from dayfly.cluster.records import Condition
from dayfly.cluster.schema import crds
from dayfly.model.errors import BuildFailed, StoreUnavailable
from dayfly.model.function import Candidate, Function, FunctionSpec, Revision
from dayfly.model.names import parse_function_key
from dayfly.model.rollout import Canary
from dayfly.storage.kubernetes import patience
from dayfly.storage.kubernetes.functions import KubernetesStore
from dayfly.storage.kubernetes.wishes import Wish, Wishes

KEY = parse_function_key("hello.team")
MERGE = "application/merge-patch+json"
SOURCE = {"handler.py": "def handle(event, context):\n    return 'hi'\n"}
BUNDLE = "sha256:" + "a" * 64


class Stage:
    """A cluster, a control plane's stores in it, and the stream of wishes."""

    def __init__(self, double: Double, api: Connection, stream: AsyncGenerator[Wish, None], wishes: Wishes) -> None:
        self.double, self.api, self.stream, self.wishes = double, api, stream, wishes
        self.store = KubernetesStore(api, "dayfly")
        self._markers = 0

    def apply(self, **spec: Any) -> None:
        """As kubectl would."""
        self.double.create("functions", "team", {"metadata": {"name": "hello"}, "spec": spec})

    def edit(self, sub: str = "", **spec: Any) -> None:
        self.double.registry.patch(self.double.resource("functions"), "team", "hello", MERGE, {"spec": spec}, sub)

    @property
    def object(self) -> Object:
        found = self.double.object("functions", "team", "hello")
        assert found is not None
        return found

    def conditions(self) -> dict[str, Object]:
        return {each["type"]: each for each in self.object["status"].get("conditions", [])}

    async def next(self) -> Wish:
        return await asyncio.wait_for(anext(self.stream), 60)

    async def quiet(self) -> None:
        """Fail if there is a wish that nobody was told of yet."""
        self._markers += 1
        name = f"marker-{self._markers}"
        self.double.create("functions", "team", {"metadata": {"name": name}, "spec": {"image": "a/b:1"}})
        assert (await self.next()).key.name == name

    async def deploy(self, number: int, spec: FunctionSpec, replicas: int | None = None) -> Function:
        """As the control plane does."""
        function = Function(
            key=KEY, revision=Revision(number=number, spec=spec, created_unix_ms=number), created_unix_ms=1,
            replicas=replicas,
        )  # fmt: skip
        await self.store.put(function)
        return function

    async def carry_out(self, wish: Wish, number: int = 1) -> None:
        assert wish.spec is not None
        await self.deploy(number, msgspec.structs.replace(wish.spec, bundle=BUNDLE), wish.replicas)
        await self.wishes.settled(wish)


Play = Callable[[Callable[[Stage], Awaitable[None]]], None]


@pytest.fixture(scope="module")
def double() -> Iterator[Double]:
    with Double() as double:
        double.define(crds())
        double.namespaces("team", "dayfly")
        yield double


@pytest.fixture
def play(double: Double) -> Play:
    double.heal()
    double.registry.wipe()

    def run(story: Callable[[Stage], Awaitable[None]]) -> None:
        async def main() -> None:
            config = KubeConfig.from_dict(double.kubeconfig()).get()
            assert config is not None
            wishes: Wishes
            async with Connection(config) as api:
                wishes = Wishes(api)
                async with aclosing(wishes.follow()) as stream:
                    await story(Stage(double, api, stream, wishes))

        asyncio.run(main())

    return run


def spec_of(**fields: Any) -> FunctionSpec:
    return FunctionSpec(name="hello", namespace="team", **({"bundle": BUNDLE} | fields))


def test_inline_source_becomes_a_deployment_and_stays_as_it_was_written(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.apply(source=SOURCE, env={"A": "b"}, replicas=2)
        wish = await stage.next()
        assert (wish.key, wish.source, wish.replicas) == (KEY, SOURCE, 2)
        assert wish.spec is not None
        assert (wish.spec.env, wish.spec.runtime) == ({"A": "b"}, "python")
        await stage.carry_out(wish)
        await stage.quiet()
        assert stage.object["spec"] == {"source": SOURCE, "env": {"A": "b"}, "replicas": 2}
        assert stage.object["status"]["observedGeneration"] == 1
        assert stage.conditions()["Progressing"]["reason"] == "Deployed"
        assert (await stage.store.get(KEY)).revision.spec.bundle == BUNDLE

    play(story)


def test_an_archive_and_an_image_become_deployments(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.apply(archive={"url": "https://x/f.tgz", "sha256": "b" * 64}, lang="node", runtime="node")
        wish = await stage.next()
        assert wish.archive is not None
        assert wish.archive.sha256 == "b" * 64
        stage.edit(archive=None, image="a/b:1", runtime=None, lang=None)
        wish = await stage.next()
        assert wish.spec is not None
        assert (wish.spec.image, wish.spec.runtime, wish.archive) == ("a/b:1", "image", None)
        stage.edit(canary={"weight": 5})
        wish = await stage.next()
        assert wish.canary is not None
        assert (wish.canary.weight, wish.generation) == (5, 3)

    play(story)


def test_a_change_is_a_wish_once_and_after_a_restart_until_it_is_settled(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.apply(source=SOURCE)
        await stage.carry_out(await stage.next())
        stage.edit(timeout="5s")
        wish = await stage.next()
        assert (wish.generation, wish.spec and wish.spec.timeout) == (2, "5s")
        await stage.quiet()
        again = Wishes(stage.api)
        async with aclosing(again.follow()) as stream:
            assert await anext(stream) == wish
        await stage.carry_out(wish, 2)
        async with aclosing(again.follow()) as stream:
            assert (await anext(stream)).key.name == "marker-1"

    play(story)


def test_kubectl_scale_is_a_wish_for_replicas_alone(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.apply(source=SOURCE)
        first = await stage.next()
        await stage.carry_out(first)
        stage.edit("scale", replicas=3)
        wish = await stage.next()
        assert (wish.spec, wish.replicas, wish.generation) == (None, 3, 2)
        function = await stage.store.get(KEY)
        await stage.store.put(msgspec.structs.replace(function, replicas=3))
        await stage.quiet()
        assert stage.object["status"]["observedGeneration"] == 2
        assert stage.object["spec"] == {"source": SOURCE, "replicas": 3}
        stage.edit(replicas=None)
        wish = await stage.next()
        assert (wish.spec, wish.replicas) == (None, None)

    play(story)


def test_what_comes_over_http_is_no_wish_and_is_mirrored(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy(1, spec_of())
        await stage.deploy(2, spec_of(timeout="5s"), replicas=4)
        await stage.quiet()
        assert stage.object["spec"] == {"bundle": BUNDLE, "timeout": "5s", "replicas": 4}
        assert stage.object["status"]["observedGeneration"] == stage.object["metadata"]["generation"] == 2

    play(story)


def test_a_trial_over_http_is_no_wish_whatever_the_server_makes_of_its_numbers(play: Play) -> None:
    async def story(stage: Stage) -> None:
        function = await stage.deploy(1, FunctionSpec(name="hello", namespace="team", image="a/b:1"))
        await stage.quiet()  # from now on each change is looked at as it is made
        revision = Revision(
            number=2, spec=msgspec.structs.replace(function.revision.spec, image="a/b:2"), created_unix_ms=2
        )
        # As whoever names the defaults has it: 2.0 is written, and the API server keeps 2.
        canary = Canary(weight=10, errors=2.0, p95=3.0)
        await stage.store.put(msgspec.structs.replace(function, candidate=Candidate(revision=revision, canary=canary)))
        assert stage.object["spec"]["canary"] == {"weight": 10, "errors": 2, "p95": 3}
        await stage.quiet()

    play(story)


def test_a_deployment_over_http_takes_the_place_of_what_kubectl_wrote(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.apply(source=SOURCE)
        await stage.carry_out(await stage.next())
        await stage.deploy(1, spec_of(), replicas=2)
        assert stage.object["spec"] == {"source": SOURCE, "replicas": 2}, "only the replicas were changed"
        await stage.deploy(2, spec_of(timeout="9s"))
        assert stage.object["spec"] == {"bundle": BUNDLE, "timeout": "9s"}
        await stage.quiet()

    play(story)


def test_a_wish_that_was_not_carried_out_yet_is_not_overwritten(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy(1, spec_of())
        stage.edit(timeout="5s")
        await stage.deploy(2, spec_of(timeout="7s"))
        wish = await stage.next()
        assert wish.spec is not None
        assert (wish.spec.timeout, stage.object["spec"]["timeout"]) == ("5s", "5s")
        assert (await stage.store.get(KEY)).revision.spec.timeout == "7s"
        await stage.carry_out(wish, 3)
        await stage.quiet()

    play(story)


def test_a_deployment_that_broke_off_before_it_was_mirrored_is_no_wish(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy(1, spec_of())
        stage.double.fail(method="PUT", path="/functions/hello$", drop="before")
        with pytest.raises(StoreUnavailable):
            await stage.deploy(2, spec_of(timeout="7s"))
        stage.double.fail(method="PUT", path="/functions/hello/status$", drop="before", skip=1)
        with pytest.raises(StoreUnavailable):
            await stage.deploy(3, spec_of(timeout="8s"))
        assert stage.object["status"]["observedGeneration"] < stage.object["metadata"]["generation"]
        await stage.quiet()

    play(story)


def test_a_function_that_is_deleted_is_told(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.apply(source=SOURCE)
        await stage.carry_out(await stage.next())
        stage.double.registry.delete(stage.double.resource("functions"), "team", "hello")
        wish = await stage.next()
        assert (wish.key, wish.is_gone, wish.spec) == (KEY, True, None)
        assert stage.double.objects("revisions", "team") == []

    play(story)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"source": SOURCE, "handler": "a b"}, "handler: 'a b' must be MODULE"),
        ({"source": SOURCE, "env": {"LD_PRELOAD": "x"}}, "env: LD_PRELOAD changes how the platform"),
        ({"source": SOURCE, "limits": {"memory": "lots"}}, "lots"),
        ({"source": {"../x.py": ""}}, "'../x.py' is not a path"),
        ({"source": {"/etc/x.py": ""}}, "is not a path"),
        ({"source": {"a//b.py": ""}}, "is not a path"),
        ({"source": {"a.py": "x" * 900_001}}, "use spec.archive"),
        ({"source": SOURCE, "bundle": BUNDLE}, "give the code once"),
        ({"env": {}}, "give the code once"),
        ({"source": SOURCE, "canary": {"weight": 0}}, "between 1 and 99"),
    ],
)
def test_what_cannot_be_deployed_is_refused_where_it_was_written(play: Play, spec: Object, said: str) -> None:
    async def story(stage: Stage) -> None:
        stage.apply(**spec)
        await stage.quiet()
        for name in ("Ready", "Progressing"):
            condition = stage.conditions()[name]
            assert said in condition["message"]
            assert (condition["status"], condition["observedGeneration"]) == ("False", 1)
        stage.double.registry.patch(
            stage.double.resource("functions"), "team", "hello", "application/json-patch+json",
            [{"op": "replace", "path": "/spec", "value": {"source": SOURCE}}],
        )  # fmt: skip
        assert (await stage.next()).generation == 2

    play(story)


def test_a_server_that_is_away_while_something_is_told_ends_nothing(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patience, "WAIT_S", 0.0)
    caplog.set_level("INFO", logger="dayfly.storage")

    async def story(stage: Stage) -> None:
        stage.apply(source=SOURCE)
        await stage.carry_out(await stage.next())
        stage.double.fail(503, method="PUT", path="/status$", times=3)
        stage.edit(timeout="never")
        stage.double.create("functions", "team", {"metadata": {"name": "next"}, "spec": {"source": SOURCE}})
        assert (await stage.next()).key.name == "next"
        assert "never" in stage.conditions()["Progressing"]["message"]

    play(story)
    said = [record.message for record in caplog.records if " waits" in record.message]
    assert [text.partition(" waits")[2].partition(":")[0] for text in said] == ["", " no longer"]


def test_a_wish_that_failed_says_why_and_what_was_true_stays(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.apply(source=SOURCE)
        await stage.carry_out(await stage.next())
        stage.edit(lang="cobol")
        wish = await stage.next()
        await stage.wishes.refused(wish, BuildFailed("no such package: numpyy", hint="correct requirements.txt"))
        await stage.quiet()
        condition = stage.conditions()["Progressing"]
        assert condition["reason"] == "BuildFailed"
        assert condition["message"] == "no such package: numpyy (correct requirements.txt)"
        assert (await stage.store.get(KEY)).revision.number == 1
        assert "Ready" not in stage.conditions(), "the revision before goes on"
        stage.edit(lang=None)
        await stage.quiet()
        assert stage.conditions()["Progressing"]["status"] == "True", "what is taken back is what was deployed"

    play(story)


def test_what_is_known_of_replicas_is_in_the_status_and_the_scale(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy(1, spec_of(), replicas=3)
        told: dict[str, Any] = {
            "ready": Condition(type="Ready", status="True", reason="Serving"), "replicas": 3, "ready_replicas": 2,
            "selector": "dayfly.dev/function=hello", "url": "http://x/function/hello.team",
        }  # fmt: skip
        await stage.wishes.told(KEY, **told)
        first = stage.conditions()["Ready"]["lastTransitionTime"]
        version = stage.object["metadata"]["resourceVersion"]
        await stage.wishes.told(KEY, **told)
        assert stage.object["metadata"]["resourceVersion"] == version, "nothing is written when nothing is new"
        assert first.endswith("Z")
        scale = await stage.api.get(FUNCTION, "hello", "team", sub="scale")
        assert scale["spec"] == {"replicas": 3}
        assert scale["status"] == {"replicas": 3, "selector": "dayfly.dev/function=hello"}
        assert (await stage.store.get(KEY)).replicas == 3
        await stage.wishes.told(parse_function_key("gone.team"), **told)

    play(story)


def test_what_waits_says_why_and_comes_again_after_a_restart(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.apply(archive={"url": "https://x/f.tgz", "sha256": "b" * 64})
        wish = await stage.next()
        await stage.wishes.delayed(wish, StoreUnavailable("x does not answer"))
        told = stage.conditions()["Progressing"]
        assert (told["status"], told["message"]) == ("False", "x does not answer; it is tried again")
        assert stage.object["status"].get("observedGeneration", 0) == 0
        again = Wishes(stage.api)
        async with aclosing(again.follow()) as stream:
            assert (await asyncio.wait_for(anext(stream), 60)).archive == wish.archive

    play(story)
