"""Replicas of images in a cluster: one Deployment a revision, which is there as long as a replica is, and no longer."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from tests.contract.provider.conftest import eventually
from tests.contract.provider.pods import counts, ended, image_order, pod_of, served

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import DEPLOYMENT, Kind
from dayfly.model.errors import NotSupported
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName
from dayfly.providers.kubernetes import deployments
from dayfly.providers.kubernetes import provider as providers
from dayfly.providers.kubernetes.house import House
from dayfly.providers.kubernetes.pods import understand

STAGES = ("kubernetes",)
CONTENT = b"hunter2-the-content"


def test_an_images_replicas_are_one_deployment_and_each_goes_by_itself(stage: Any, ask: Any, eventually: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = image_order(stage, env={"GREETING": "hi"}, secrets={"token": CONTENT}, secret_versions={"token": 1})
            orders = [first, *(stage.again(first) for _ in range(2))]
            await asyncio.gather(*(provider.start(order) for order in orders))
            addresses = [(await audience.ready(order.replica)).address for order in orders]
            name = deployments.name_of(first)
            assert counts(stage) == {name: 3}
            told = json.loads((await ask(addresses[0], method="GET")).body)
            assert told["secrets"] == {"token": CONTENT.decode()}
            assert (told["env"]["GREETING"], told["env"]["OPENFAAS_NAME"]) == ("hi", first.key.name)
            assert (await audience.line("asked for /")).key == first.key
            # A pod that the cluster does not call ready yet would go before the one that is marked.
            await eventually(lambda: all(understand(pod_of(stage, order)).is_ready for order in orders))
            assert (await ended(provider, audience, orders[1])).reason == "stopped"
            await eventually(lambda: pod_of(stage, orders[1]) is None)
            assert counts(stage) == {name: 2}
            for order, address in ((orders[0], addresses[0]), (orders[2], addresses[2])):
                assert pod_of(stage, order) is not None
                assert (await ask(address, method="GET")).status == 200
            assert set(await provider.stats()) == {orders[0].replica, orders[2].replica}
        async with stage.opened() as (provider, audience):
            found = {each.order.replica: each.address for each in await provider.recover()}
            assert found == {orders[0].replica: addresses[0], orders[2].replica: addresses[2]}
            for order in (orders[0], orders[2]):
                assert (await ended(provider, audience, order)).reason == "stopped"
            await eventually(lambda: not counts(stage))
            await eventually(lambda: not stage.cluster.double.objects("secrets", stage.cluster.NAMESPACE))

    asyncio.run(main())


def test_an_image_that_crashes_or_cannot_be_pulled_is_said_so(stage: Any, eventually: Any) -> None:
    async def main() -> None:
        stage.cluster.kubelet.unpullable.add("registry.test/private:1")
        async with stage.opened() as (provider, audience):
            crashing = image_order(stage, env={"CRASH": "3"})
            private = image_order(stage)
            private = msgspec.structs.replace(private, image="registry.test/private:1")
            for order, reason, told in (
                (crashing, "crashed", "exit code 3"), (private, "start_failed", "imagePullSecrets"),
            ):  # fmt: skip
                await provider.start(order)
                end = await audience.exited(order.replica)
                assert (end.reason, told in end.detail) == (reason, True), end
            await eventually(lambda: not counts(stage))

    asyncio.run(main())


def test_an_image_that_ends_after_it_served_is_gone_and_not_started_in_its_place(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = image_order(stage)
            address = await served(provider, audience, order)
            with pytest.raises(Exception, match=r".*"):
                await ask(address, method="GET", target="/exit/7")
            end = await audience.exited(order.replica)
            assert (end.reason, "exit code 7" in end.detail) == ("crashed", True), end

    asyncio.run(main())


def test_what_only_a_proxy_could_judge_is_refused_for_an_image(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, _):
            with pytest.raises(NotSupported, match="has no egress proxy"):
                await provider.start(image_order(stage, allow=("api.example.com",)))

    asyncio.run(main())


def test_a_deployment_goes_whose_making_was_not_answered_and_whose_replica_is_wanted_no_more(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = image_order(stage, key=FunctionKey(DEFAULT_NAMESPACE, FunctionName("unanswered")))
            name = deployments.name_of(order)
            fault = stage.cluster.double.fail(method="POST", path="/deployments$", drop="after")
            await provider.start(order)
            await eventually(lambda: name in counts(stage))
            await provider.stop(order.replica, grace_s=1)
            assert (await audience.exited(order.replica)).reason == "stopped"
            await eventually(lambda: name not in counts(stage))
            assert fault.hit == 1

    asyncio.run(main())


def test_a_replica_that_begins_while_its_deployment_is_taken_away_has_another(
    stage: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = Connection.delete

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = image_order(stage)
            again = stage.again(order)

            async def begin_another(connection: Connection, kind: Kind, *rest: Any, **more: Any) -> None:
                if kind is DEPLOYMENT:
                    monkeypatch.undo()
                    await provider.start(again)
                await delete(connection, kind, *rest, **more)

            await served(provider, audience, order)
            monkeypatch.setattr(Connection, "delete", begin_another)
            await ended(provider, audience, order)
            address = (await audience.ready(again.replica)).address
            assert (await ask(address, method="GET")).status == 200

    asyncio.run(main())


def test_a_deployment_that_could_not_be_removed_and_is_wanted_again_stays(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = asyncio.Event()
    sweep = House.sweep

    async def tell(house: House) -> None:
        await sweep(house)
        swept.set()

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = image_order(stage)
            name = deployments.name_of(order)
            await served(provider, audience, order)
            fault = stage.cluster.double.fail(503, method="DELETE", path=f"/deployments/{name}$", times=0)
            await ended(provider, audience, order)
            await eventually(lambda: fault.hit)
            again = stage.again(order)
            await served(provider, audience, again)
            stage.cluster.double.heal()
            for _ in range(2):  # one may be under way that began before
                swept.clear()
                await swept.wait()
            assert counts(stage) == {name: 1}

    monkeypatch.setattr(House, "sweep", tell)
    monkeypatch.setattr(providers, "SWEEP_S", 0.01)
    asyncio.run(main())
