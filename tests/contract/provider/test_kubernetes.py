"""What only pods have: a pool, claims, Deployments, statuses, and an API server that comes and goes."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.cluster.kubelet import Kubelet
from tests.contract.provider.conftest import eventually
from tests.contract.provider.pods import counts, ended, image_order, pod_of, served

from dayfly.model.errors import InvalidSpec, NotFound
from dayfly.model.names import new_replica_id
from dayfly.model.replica import StartOrder
from dayfly.providers.kubernetes import deployments, life, marks
from dayfly.providers.kubernetes.code_life import CodeLife
from dayfly.providers.kubernetes.image_life import ImageLife
from dayfly.providers.kubernetes.pods import Pod, understand
from dayfly.providers.kubernetes.provider import KubernetesProvider
from dayfly.providers.pod import archive, wire
from dayfly.providers.pod.seal import ControlKey, SealBroken

STAGES = ("kubernetes",)
HELLO = "def handle(event, context):\n    return f'hello {event.text}'\n"
SLEEPY = "import time\ndef handle(event, context):\n    time.sleep(float(event.text))\n    return 'done'\n"
TELLING = "import os\ndef handle(event, context):\n    return open(os.environ['DAYFLY_SECRETS'] + '/token').read()\n"
SECRET = b"an installation's secret"
CONTENT = b"hunter2-the-content"


@contextlib.asynccontextmanager
async def opened(stage: Any, **site: Any) -> AsyncIterator[Any]:
    """Open a provider at a site that differs from the stage's."""
    changed = msgspec.structs.replace(stage.cluster.site, **site)
    stage_provider, stage.provider = stage.provider, lambda: KubernetesProvider(stage.cluster.connect, changed, SECRET)
    try:
        async with stage.opened() as (provider, audience):
            yield provider, audience
    finally:
        stage.provider = stage_provider


def test_a_pod_that_somebody_else_got_is_not_waited_for(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            fault = stage.cluster.double.fail(409, method="PATCH", path="/pods/")
            address = await served(provider, audience, order)
            assert fault.hit == 1
            assert (await ask(address, b"you")).body == b"hello you"
            claimed = pod_of(stage, order)
            assert not claimed["metadata"].get("ownerReferences")
            assert claimed["metadata"]["labels"][marks.NETWORK] == "proxy"

    asyncio.run(main())


def test_a_webhook_that_times_out_while_a_pod_is_claimed_ends_the_start_and_the_next_has_a_pod(
    stage: Any, ask: Any
) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            fault = stage.cluster.double.fail(500, method="PATCH", path="/pods/")
            await provider.start(order)
            end = await audience.exited(order.replica)
            assert (fault.hit, end.reason) == (1, "start_failed")
            assert "the cluster refused PATCH" in end.detail
            address = await served(provider, audience, stage.again(order))
            assert (await ask(address, b"you")).body == b"hello you"

    asyncio.run(main())


def test_nodes_are_told_as_far_as_they_may_be_read(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await served(provider, audience, order)
            on = pod_of(stage, order)["spec"]["nodeName"]
            stage.cluster.double.create("nodes", "", {"metadata": {"name": "idle"}, "status": {}})
            assert "idle" in [node.name for node in (await provider.survey()).nodes]
            stage.cluster.double.fail(403, method="GET", path="^/api/v1/nodes$")
            assert [node.name for node in (await provider.survey()).nodes] == [on]

    asyncio.run(main())


def test_the_platforms_own_pods_are_told_of_and_read_in_their_namespace_alone(stage: Any) -> None:
    own = {"app.kubernetes.io/name": "dayfly", "app.kubernetes.io/instance": "platform"}
    double, said = stage.cluster.double, stage.cluster.kubelet.said
    double.namespaces("platform")
    spec = {"containers": [{"name": "control", "image": "dayfly:1"}], "nodeName": "n9"}
    for name, labels in (("dayfly-control-1", own), ("somebodys", {})):
        double.create("pods", "platform", {"metadata": {"name": name, "labels": labels}, "spec": spec})
    said["platform", "somebodys"] = [b"none of ours\n"]
    said["platform", "dayfly-control-1"] = [
        b"2026-11-30T10:00:00.5Z 2026-11-30 10:00:00,123 WARNING control dayfly.x trouble\n",
        b'2026-11-30T10:00:01Z {"at":"2026-11-30T10:00:01.000Z","level":"info","process":"queue","logger":"dayfly.q",'
        b'"message":"m","call_id":"c"}\n',
        b"2026-11-30T10:00:02Z Fatal Python error: Aborted\n",
    ]

    async def main() -> None:
        async with opened(stage, own_namespace="platform") as (provider, _):
            found = await provider.survey()
            assert [(each.name, each.state, each.image) for each in found.containers if each.node == "n9"] == [
                ("dayfly-control-1", "starting", "dayfly:1")
            ]
            lines = [line async for line in await provider.container_log("dayfly-control-1", tail=-1, follow=False)]
            assert [(line.part, line.level, line.text, line.call_id) for line in lines] == [
                ("control", "warning", "trouble", ""), ("queue", "info", "m", "c"),
                ("dayfly-control-1", "", "Fatal Python error: Aborted", ""),
            ]  # fmt: skip
            assert lines[0].unix_ns == 1_796_032_800_500_000_000
            tail = [line.text async for line in await provider.container_log("dayfly-control-1", tail=1, follow=False)]
            assert tail == ["Fatal Python error: Aborted"]
            with pytest.raises(NotFound):
                await provider.container_log("somebodys", tail=-1, follow=False)
            double.fail(403, method="GET", path="/pods/dayfly-control-1/log")
            (refused,) = [line async for line in await provider.container_log("dayfly-control-1", tail=1, follow=False)]
            assert refused.text.startswith("its log cannot be read")
            double.fail(403, method="GET", path="^/api/v1/namespaces/platform/pods$")
            assert all(each.node != "n9" for each in (await provider.survey()).containers)

    asyncio.run(main())


def test_where_the_log_is_json_every_line_of_a_pod_is(stage: Any) -> None:
    pool = msgspec.structs.replace(stage.cluster.site.pool, log_format="json")

    async def main() -> list[bytes]:
        async with opened(stage, pool=pool) as (provider, audience), stage.cluster.connect() as api:
            order = stage.order(HELLO, memory_bytes=1 << 30)
            await served(provider, audience, order)
            name = pod_of(stage, order)["metadata"]["name"]
            agent = stage.cluster.kubelet.pids()[name]
            path = f"/api/v1/namespaces/{stage.cluster.NAMESPACE}/pods/{name}/log"
            said: list[bytes] = []
            async with asyncio.timeout(60), contextlib.aclosing(api.stream(path, {"follow": "true"})) as lines:
                async for line in lines:
                    if not said:  # the agent's greeting: it follows from here on
                        os.kill(zygote_of(agent), signal.SIGABRT)
                    said.append(line)
            return said

    found = [json.loads(line) for line in asyncio.run(main())]
    assert all(line.keys() >= {"kind"} or line.keys() >= {"at", "level", "process", "message"} for line in found)
    words = {(line.get("process"), line.get("logger"), line.get("message")) for line in found}
    assert ("zygote", "stderr", "Fatal Python error: Aborted") in words


def zygote_of(agent: int) -> int:
    children = Path(f"/proc/{agent}/task/{agent}/children").read_text().split()
    return next(int(pid) for pid in children if b"zygote.py" in Path(f"/proc/{pid}/cmdline").read_bytes())


def test_several_orders_at_once_get_a_pod_each(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = stage.order(HELLO)
            orders = [first, *(stage.again(first) for _ in range(3))]
            await asyncio.gather(*(provider.start(order) for order in orders))
            addresses = [(await audience.ready(order.replica)).address for order in orders]
            assert len(set(addresses)) == 4
            assert [(await ask(each, b"x")).body for each in addresses] == [b"hello x"] * 4

    asyncio.run(main())


def test_a_pool_without_pods_is_said_so(stage: Any) -> None:
    async def main() -> None:
        nowhere = msgspec.structs.replace(stage.cluster.pool, installation="none", name="other-pool")
        async with opened(stage, pool=nowhere, start_s=0.2) as (provider, audience):
            order = stage.order(HELLO)
            await provider.start(order)
            end = await audience.exited(order.replica)
            assert end.reason == "start_failed"
            assert "no runtime pod was free within 0.2s: the pool has no pods" in end.detail

    asyncio.run(main())


def test_who_needs_more_room_gets_a_pod_of_its_own(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO, memory_bytes=1 << 30)
            assert (await ask(await served(provider, audience, order), b"you")).body == b"hello you"
            pod = pod_of(stage, order)
            assert pod["metadata"]["name"] == f"dayfly-{order.replica}"
            limits = pod["spec"]["containers"][0]["resources"]["limits"]
            assert int(limits["memory"]) > 1 << 30
            assert (await ended(provider, audience, order)).reason == "stopped"

    asyncio.run(main())


def test_a_node_that_is_not_there_is_said_so(stage: Any) -> None:
    async def main() -> None:
        async with opened(stage, start_s=1.0) as (provider, audience):
            order = stage.order(HELLO, constraints=("disk=ssd",))
            await provider.start(order)
            end = await audience.exited(order.replica)
            assert (end.reason, "no node has room for it (Unschedulable)" in end.detail) == ("start_failed", True), end
            with pytest.raises(InvalidSpec, match="must be LABEL=VALUE"):
                await provider.start(stage.order(HELLO, constraints=("disk",)))

    asyncio.run(main())


def test_a_container_that_dies_under_its_replica_is_its_end(stage: Any, eventually: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await served(provider, audience, order)
            name = pod_of(stage, order)["metadata"]["name"]
            os.kill(stage.cluster.kubelet.pids()[name], signal.SIGKILL)
            end = await audience.exited(order.replica)
            assert (end.reason, "SIGKILL" in end.detail) == ("killed", True), end
            await eventually(lambda: pod_of(stage, order) is None)
            assert len(audience.events) == 2

    asyncio.run(main())


def test_a_pod_that_somebody_deletes_is_called_no_more_and_finishes_its_call(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(SLEEPY.replace("time.sleep", "print('begun', flush=True)\n    time.sleep"))
            address = await served(provider, audience, order)
            running = asyncio.create_task(ask(address, b"0.5"))
            await audience.line("begun")
            double, name = stage.cluster.double, pod_of(stage, order)["metadata"]["name"]
            double.registry.delete(double.resource("pods"), stage.cluster.NAMESPACE, name, {"gracePeriodSeconds": 30})
            end = await audience.exited(order.replica)
            assert (end.reason, "somebody deleted it" in end.detail) == ("lost", True), end
            assert (await running).body == b"done"

    asyncio.run(main())


def test_replicas_serve_while_the_api_is_away_and_are_heard_when_it_is_back(stage: Any, ask: Any) -> None:
    async def main() -> None:
        double = stage.cluster.double
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            address = await served(provider, audience, order)
            double.away = True
            double.end_watches(drop=True)
            assert (await ask(address, b"you")).body == b"hello you"
            assert list(await provider.stats()) == [order.replica]
            late = stage.again(order)
            await provider.start(late)
            double.heal()
            double.registry.expire()  # what changed meanwhile is not known any more: everything is listed anew
            await audience.ready(late.replica)
            assert (await ended(provider, audience, order)).reason == "stopped"

    asyncio.run(main())


@pytest.fixture
def node(stage: Any) -> Iterator[Kubelet]:
    """The node that is lost; it is there again in the end, without what it had."""
    kubelet: Kubelet = stage.cluster.kubelet
    yield kubelet
    kubelet.evict()
    kubelet.come_back()


async def settled(stage: Any, provider: Any, audience: Any, order: StartOrder) -> str:
    """Have a replica that its node knows of, too."""
    address = await served(provider, audience, order)
    await eventually(lambda: understand(pod_of(stage, order)).is_ready)
    return address


@pytest.mark.parametrize("kind", ["code", "image"])
def test_replicas_of_a_lost_node_end_and_others_take_their_place(
    stage: Any, ask: Any, node: Kubelet, kind: str
) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO) if kind == "code" else image_order(stage)
            await settled(stage, provider, audience, order)
            lost = pod_of(stage, order)["metadata"]
            node.lose()
            end = await audience.exited(order.replica)
            assert (end.reason, "its node is not heard of any more" in end.detail) == ("lost", True), end
            node.evict(marks.POOL)
            again = stage.again(order)
            address = await served(provider, audience, again)
            assert (await ask(address, method="GET")).status == 200
            assert pod_of(stage, again)["spec"]["nodeName"] == node.node
            assert "deletionTimestamp" in pod_of(stage, order)["metadata"], "it would serve when its node is back"
            if kind == "image":
                assert list(counts(stage).values()) == [1]
            node.come_back()
            assert lost["uid"] not in {
                pod["metadata"]["uid"] for pod in stage.cluster.double.objects("pods", stage.cluster.NAMESPACE)
            }
            assert (await ask(address, method="GET")).status == 200

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["code", "image"])
def test_replicas_whose_node_is_only_cut_off_from_the_cluster_go_on_until_they_answer_no_more(
    stage: Any, ask: Any, node: Kubelet, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO) if kind == "code" else image_order(stage)
            address = await settled(stage, provider, audience, order)
            asked: list[str] = []
            enough = asyncio.Event()
            is_there = CodeLife.is_there if kind == "code" else ImageLife.is_there

            async def look(life: Any, pod: Pod) -> bool:
                found = await is_there(life, pod)
                asked.append(f"{pod.replica} {found}")
                if len(asked) == 3:
                    enough.set()
                return bool(found)

            monkeypatch.setattr(CodeLife if kind == "code" else ImageLife, "is_there", look)
            monkeypatch.setattr(life, "UNHEARD_EVERY_S", 0.01)
            process = node.pids()[pod_of(stage, order)["metadata"]["name"]]
            node.lose(alive=True)
            await enough.wait()
            assert set(asked) == {f"{order.replica} True"}
            assert (await ask(address, method="GET")).status == 200
            assert len(audience.events) == 1
            os.killpg(process, signal.SIGKILL)
            assert (await audience.exited(order.replica)).reason == "lost"

    asyncio.run(main())


def test_a_deployment_whose_pods_were_all_lost_goes_with_them_whoever_works_then(
    stage: Any, node: Kubelet, eventually: Any
) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = image_order(stage)
            await settled(stage, provider, audience, order)
            node.lose()
            assert (await audience.exited(order.replica)).reason == "lost"
        node.evict()
        assert list(counts(stage)) == [deployments.name_of(order)]
        async with stage.opened() as (provider, _):
            assert await provider.recover() == []
            node.come_back()
            await eventually(lambda: not counts(stage))

    asyncio.run(main())


def test_a_pod_taken_away_from_a_node_that_cannot_be_told_is_not_counted(stage: Any, ask: Any, node: Kubelet) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = image_order(stage)
            address = await settled(stage, provider, audience, order)
            node.lose(alive=True)
            node.evict(marks.OURS)
            assert (await audience.exited(order.replica)).reason == "lost"
            again = stage.again(order)
            await served(provider, audience, again)
            assert list(counts(stage).values()) == [1], "one more than is wanted would be nobody's"
            assert (await ask(address, method="GET")).status == 200, "it finishes its calls"

    asyncio.run(main())


def test_a_replica_told_to_end_on_a_lost_node_has_ended(stage: Any, node: Kubelet) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = image_order(stage)
            await settled(stage, provider, audience, order)
            node.lose(alive=True)
            await provider.stop(order.replica, grace_s=60)
            os.killpg(node.pids()[pod_of(stage, order)["metadata"]["name"]], signal.SIGKILL)
            assert (await audience.exited(order.replica)).reason == "stopped"

    asyncio.run(main())


def test_a_secret_is_in_no_object_and_in_no_log(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(TELLING, secrets={"token": CONTENT}, secret_versions={"token": 1})
            assert (await ask(await served(provider, audience, order))).body == CONTENT
            double = stage.cluster.double
            kinds = ("pods", "secrets", "configmaps", "deployments", "replicasets")
            kept = json.dumps([double.objects(kind) for kind in kinds])
            assert CONTENT.decode() not in kept
            assert "aHVudGVyMi" not in kept  # as base64
            assert not [line for line in audience.lines if CONTENT.decode() in line.text]

    asyncio.run(main())


def test_a_pod_without_an_order_that_can_be_read_is_removed(stage: Any, eventually: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await served(provider, audience, order)
        pod = pod_of(stage, order)
        pod["metadata"]["annotations"][marks.ORDER] = "{"
        double = stage.cluster.double
        double.registry.update(double.resource("pods"), stage.cluster.NAMESPACE, pod)
        async with stage.opened() as (provider, audience):
            assert await provider.recover() == []
            await eventually(lambda: pod_of(stage, order) is None)
            assert audience.events == []

    asyncio.run(main())


# -- agents ----------------------------------------------------------------------------------------------------------


async def talk(stage: Any, order: StartOrder, control: ControlKey) -> wire.Conversation:
    """Begin a conversation with the agent of a replica's pod."""
    pod = pod_of(stage, order)
    address, key = pod["status"]["podIP"], pod["metadata"]["annotations"][marks.AGENT]
    return await wire.Conversation.begin(address, stage.cluster.pool.agent_port, control, key)


def test_a_claimed_pod_is_claimed_no_more_and_obeys_its_control_plane_alone(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            address = await served(provider, audience, order)
            ours = ControlKey(SECRET)
            again = await talk(stage, order, ours)
            await again.say(wire.Claim(stage.again(order)))
            assert await again.hear_agent() == wire.Refused(f"the pod serves {order.replica} already")
            stranger = await talk(stage, order, ours)
            await stranger.say(wire.Attach(new_replica_id()))
            assert isinstance(await stranger.hear_agent(), wire.Refused)
            forged = await talk(stage, order, ControlKey(b"a guess"))
            await forged.say(wire.Stop(0))
            with pytest.raises((SealBroken, Exception), match="ended"):
                await forged.hear_agent()
            for each in (again, stranger, forged):
                await each.close()
            assert (await ask(address, b"still")).body == b"hello still"

    asyncio.run(main())


def waiting(stage: Any) -> Any:
    """Return a pod of the pool that is ready; None while there is none."""
    for pod in stage.cluster.double.objects("pods", stage.cluster.NAMESPACE):
        if pod["metadata"]["labels"][marks.ROLE] == marks.POOL and understand(pod).is_ready:
            return pod
    return None


def test_code_that_is_not_what_was_told_is_not_run(stage: Any, eventually: Any) -> None:
    async def main() -> None:
        async with stage.opened():
            order = stage.order(HELLO)
            await eventually(lambda: waiting(stage) is not None)
            pod = waiting(stage)
            connection = stage.cluster.connect()
            path = f"/api/v1/namespaces/{stage.cluster.NAMESPACE}/pods/{pod['metadata']['name']}/log"
            async with connection:
                first, *_ = [line async for line in connection.stream(path, {"limitBytes": "8192"})]
                key = json.loads(first)["key"]
            agent = await wire.Conversation.begin(
                pod["status"]["podIP"], stage.cluster.pool.agent_port, ControlKey(SECRET), key
            )
            await agent.say(wire.Claim(order))
            for piece in archive.pieces(order):
                await agent.say(wire.Code(piece))
            await agent.say(wire.Code(b"", hashlib.sha256(b"something else").hexdigest()))
            assert await agent.hear_agent() == wire.Taken()
            end = await agent.hear_agent()
            assert isinstance(end, wire.Exited)
            assert (end.reason, "checksum is not the one that was told" in end.detail) == ("start_failed", True)
            await agent.close()

    asyncio.run(main())


PROGRAM = """\
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = b"served " + self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_a_program_that_serves_a_port_is_reached_at_its_pods_address(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order("", lang="http", runtime="http", process="python3 server.py")
            (Path(order.code_dir) / "server.py").write_text(PROGRAM)
            assert (await ask(await served(provider, audience, order), b"you")).body == b"served you"

    asyncio.run(main())


def test_whoever_asks_what_replicas_use_asks_no_agent_amid_the_code(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            (Path(order.code_dir) / "large").write_bytes(os.urandom(4 << 20))
            await provider.start(order)
            ready = asyncio.create_task(audience.ready(order.replica))
            while not ready.done():
                await provider.stats()
                await asyncio.sleep(0)
            assert (await ask((await ready).address, b"you")).body == b"hello you"

    asyncio.run(main())


def test_a_function_that_holds_its_loop_is_busy_and_not_dead(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(SLEEPY, concurrency="inline")
            address = await served(provider, audience, order)
            running = asyncio.create_task(ask(address, b"0.5"))
            host, port = pod_of(stage, order)["status"]["podIP"], stage.cluster.pool.agent_port
            for path in ("/health", "/ready"):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
                writer.close()
            assert not running.done()
            await running

    asyncio.run(main())
