"""Reading and writing objects, and what is said when that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
import yaml
from tests.cluster.server import Double

from dayfly.cluster import connection as module
from dayfly.cluster.connection import Connection, from_kubeconfig, from_service_account
from dayfly.cluster.kinds import CONFIG_MAP, LEASE, NAMESPACE, POD, SECRET, name_of, version_of
from dayfly.cluster.refusals import AlreadyThere, Answer, Changed, Expired, NotAllowed, refusal
from dayfly.model.errors import ConfigError, InvalidRequest, NotFound, PayloadTooLarge, StoreUnavailable

Story = Callable[[Connection], Awaitable[None]]


def connect(double: Double, folder: Path, token: str = "admin", **fields: Any) -> Connection:
    file = folder / f"{token}.yaml"
    file.write_text(yaml.safe_dump(double.kubeconfig(token)))
    return Connection(from_kubeconfig(file), **fields)


@pytest.fixture
def tell(double: Double, tmp_path: Path) -> Callable[..., None]:
    def run(story: Story, token: str = "admin", **fields: Any) -> None:
        async def main() -> None:
            async with connect(double, tmp_path, token, **fields) as connection:
                await story(connection)

        asyncio.run(main())

    return run


def test_an_object_is_created_read_replaced_patched_and_deleted(tell: Callable[..., None], space: str) -> None:
    async def story(api: Connection) -> None:
        made = await api.create(CONFIG_MAP, CONFIG_MAP.object("one", space, data={"a": "1"}))
        assert await api.get(CONFIG_MAP, "one", space) == made
        newer = await api.replace(CONFIG_MAP, {**made, "data": {"a": "2"}})
        with pytest.raises(Changed, match="the object has been modified"):
            await api.replace(CONFIG_MAP, {**made, "data": {"a": "3"}})
        guard = {"metadata": {"resourceVersion": version_of(newer)}}
        newest = await api.patch(CONFIG_MAP, "one", {**guard, "data": {"b": "1"}}, space)
        assert newest["data"] == {"a": "2", "b": "1"}
        with pytest.raises(Changed):
            await api.patch(CONFIG_MAP, "one", {**guard, "data": {"b": "2"}}, space)
        with pytest.raises(AlreadyThere, match="already exists"):
            await api.create(CONFIG_MAP, CONFIG_MAP.object("one", space))
        with pytest.raises(Changed, match="Precondition failed"):
            await api.delete(CONFIG_MAP, "one", space, uid="another")
        await api.delete(CONFIG_MAP, "one", space, uid=newest["metadata"]["uid"], version=version_of(newest))
        with pytest.raises(NotFound, match="not found"):
            await api.get(CONFIG_MAP, "one", space)

    tell(story)


def test_a_list_of_many_pages_is_one_list(
    tell: Callable[..., None], double: Double, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    for number in range(5):
        double.create("configmaps", space, {"metadata": {"name": f"c{number}", "labels": {"odd": str(number % 2)}}})

    async def story(api: Connection) -> None:
        found = await api.list(CONFIG_MAP, space)
        assert [name_of(each) for each in found.items] == ["c0", "c1", "c2", "c3", "c4"]
        assert found.items[0]["kind"] == "ConfigMap"
        assert [name_of(each) for each in (await api.list(CONFIG_MAP, space, labels="odd=1")).items] == ["c1", "c3"]
        assert [name_of(each) for each in (await api.list(CONFIG_MAP, fields="metadata.name=c2")).items] == ["c2"]
        await api.delete_all(CONFIG_MAP, space, labels="odd in (0)")
        assert len((await api.list(CONFIG_MAP, space)).items) == 2

    tell(story)
    assert sum("continue=" in each.query for each in double.seen) == 2


def test_a_list_that_expires_between_its_pages_is_told(
    tell: Callable[..., None], double: Double, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 1)
    for name in ("a", "b"):
        double.create("configmaps", space, {"metadata": {"name": name}})
    double.fail(410, path="/configmaps", times=1)

    async def story(api: Connection) -> None:
        with pytest.raises(Expired):
            await api.list(CONFIG_MAP, space)

    tell(story)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (429, StoreUnavailable, "overloaded"), (500, StoreUnavailable, "overloaded"),
        (503, StoreUnavailable, "overloaded"), (403, NotAllowed, "dayfly install"), (401, NotAllowed, "log in"),
        (413, PayloadTooLarge, "1.5 MB"), (422, InvalidRequest, ""), (409, Changed, ""),
    ],
)  # fmt: skip
def test_what_the_server_refuses_with_is_ours(
    tell: Callable[..., None], double: Double, status: int, error: type[StoreUnavailable], words: str
) -> None:
    double.fail(status, retry_after_s=7)

    async def story(api: Connection) -> None:
        with pytest.raises(error, match="GET /api/v1/pods") as caught:
            await api.list(POD)
        assert words in caught.value.hint
        assert caught.value.retry_after_s == (7 if status in (429, 500, 503) else 0)

    tell(story)


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_connection_that_is_lost_is_told_and_the_next_works(
    tell: Callable[..., None], double: Double, space: str, drop: str
) -> None:
    double.fail(method="POST", drop=drop)

    async def story(api: Connection) -> None:
        with pytest.raises(StoreUnavailable, match="did not answer POST"):
            await api.create(CONFIG_MAP, CONFIG_MAP.object("one", space))
        assert (double.object("configmaps", space, "one") is not None) == (drop == "after")
        await api.create(CONFIG_MAP, CONFIG_MAP.object("two", space))

    tell(story)


def test_a_server_that_is_not_there_is_told(tmp_path: Path, double: Double) -> None:
    config = double.kubeconfig()
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1"
    (tmp_path / "config").write_text(yaml.safe_dump(config))

    async def main() -> None:
        async with Connection(from_kubeconfig(tmp_path / "config")) as api:
            with pytest.raises(StoreUnavailable, match=r"127.0.0.1:1 did not answer GET /version"):
                await api.ask("/version")

    asyncio.run(main())


def test_who_may_not_is_told_in_the_clusters_words(tell: Callable[..., None], double: Double, space: str) -> None:
    double.create("roles", space, {"metadata": {"name": "reader"}, "rules": [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]})  # fmt: skip
    double.create("rolebindings", space, {"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "reader"},
                  "subjects": [{"kind": "ServiceAccount", "name": "sa", "namespace": space}]})  # fmt: skip

    async def story(api: Connection) -> None:
        assert (await api.list(CONFIG_MAP, space)).items == []
        user = f'User "system:serviceaccount:{space}:sa" cannot'
        with pytest.raises(NotAllowed, match=f'{user} create resource "configmaps" in API group "" in the namespace'):
            await api.create(CONFIG_MAP, CONFIG_MAP.object("one", space))
        with pytest.raises(NotAllowed, match=f'{user} list resource "configmaps" in API group "" at the cluster scope'):
            await api.list(CONFIG_MAP)
        with pytest.raises(NotAllowed):
            await api.get(NAMESPACE, space)

    tell(story, double.token(space, "sa"))


def test_a_kind_that_the_cluster_lacks_is_told_with_what_brings_it() -> None:
    for group, hint in (("dayfly.dev", "`dayfly install` brings it"), ("apps", "")):
        found = refusal(Answer(f"GET /apis/{group}/v1/budgets", 404, b"404 page not found\n"))
        assert isinstance(found, NotFound)
        assert hint in found.hint
        assert bool(hint) == bool(found.hint)
    gone = refusal(Answer("GET /apis/dayfly.dev/v1/budgets/b", 404, b'{"message": "budgets \\"b\\" not found"}'))
    assert (type(gone), gone.hint) == (NotFound, "")


@pytest.mark.parametrize(
    ("status", "said", "error", "hint"),
    [
        (403, 'admission webhook "p.example" denied the request: no', NotAllowed, "policy of the cluster refuses"),
        (400, 'admission webhook "p.example" denied the request: no', NotAllowed, "policy of the cluster refuses"),
        (500, 'failed calling webhook "p.example": context deadline exceeded', StoreUnavailable, "does not answer"),
    ],
)
def test_a_policy_of_the_cluster_is_told_from_the_api_server(
    status: int, said: str, error: type[StoreUnavailable], hint: str
) -> None:
    found = refusal(Answer("PATCH /api/v1/pods/a", status, msgspec.json.encode({"message": said})))
    assert type(found) is error
    assert said in str(found)
    assert hint in found.hint


def test_a_token_that_is_unknown_is_told(tell: Callable[..., None]) -> None:
    async def story(api: Connection) -> None:
        with pytest.raises(NotAllowed, match="Unauthorized"):
            await api.list(POD)

    tell(story, "unknown")


def test_what_is_too_large_is_told(tell: Callable[..., None], space: str) -> None:
    async def story(api: Connection) -> None:
        with pytest.raises(PayloadTooLarge):
            await api.create(LEASE, LEASE.object("one", space, spec={"holderIdentity": "x" * 1_600_000}))
        with pytest.raises(PayloadTooLarge):
            await api.create(CONFIG_MAP, CONFIG_MAP.object("one", space, data={"a": "x" * 3_200_000}))
        with pytest.raises(InvalidRequest, match="may not be more than 1048576 bytes"):
            await api.create(SECRET, SECRET.object("one", space, stringData={"a": "x" * 1_048_577}))

    tell(story)


def test_what_is_applied_is_shared_by_field(tell: Callable[..., None], space: str) -> None:
    async def story(api: Connection) -> None:
        mine = CONFIG_MAP.object("one", data={"a": "1", "b": "1"})
        await api.patch(CONFIG_MAP, "one", mine, space, how="apply")
        await api.patch(CONFIG_MAP, "one", {"data": {"c": "1"}}, space)
        applied = await api.patch(CONFIG_MAP, "one", {**mine, "data": {"a": "2"}}, space, how="apply")
        assert applied["data"] == {"a": "2", "c": "1"}

    tell(story)


def test_a_certificate_is_checked(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key, trusted = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(trusted))

    async def main(double: Double) -> None:
        for trust in (str(trusted), str(certificate)):
            config = double.kubeconfig()
            config["clusters"][0]["cluster"] = {"server": double.url, "certificate-authority": trust}
            (tmp_path / "config").write_text(yaml.safe_dump(config))
            async with Connection(from_kubeconfig(tmp_path / "config")) as api:
                if trust == str(trusted):
                    assert (await api.ask("/version"))["gitVersion"] == "v1.36.2"
                else:
                    with pytest.raises(StoreUnavailable, match="certificate verify failed"):
                        await api.ask("/version")

    with Double(tls=(str(certificate), str(key))) as double:
        asyncio.run(main(double))


def test_a_pods_token_is_read_anew_when_it_is_not_taken_any_more(
    double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("old")
    (tmp_path / "namespace").write_text("dayfly")
    (tmp_path / "ca.crt").write_text(trustme.CA().cert_pem.bytes().decode())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", double.url.rpartition(":")[2])
    found = from_service_account(tmp_path)
    assert found.namespace == "dayfly"
    config = found._replace(cluster=type(found.cluster)(server=double.url))
    double.tokens["old"] = double.tokens["admin"]

    async def main() -> None:
        async with Connection(config) as api:
            await api.list(NAMESPACE)
            double.tokens["new"] = double.tokens.pop("old")
            with pytest.raises(NotAllowed):
                await api.list(NAMESPACE)
            (tmp_path / "token").write_text("new")
            await api.list(NAMESPACE)

    try:
        asyncio.run(main())
    finally:
        double.tokens.pop("new", None)


@pytest.mark.parametrize("text", ["", "a: [", "clusters: []\ncontexts: []\nusers: []", "clusters: 5", "x"])
def test_a_kubeconfig_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(ConfigError, match="kubeconfig"):
        from_kubeconfig(tmp_path / "config")


def test_no_kubeconfig_and_no_pod_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        from_kubeconfig(tmp_path / "none")
    with pytest.raises(ConfigError, match="no pod"):
        from_service_account(tmp_path)


def test_many_logs_can_be_followed_beside_each_other(
    double: Double, tell: Callable[..., None], space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each keeps its connection; whoever asks for something else must not wait for one to end."""
    many = 130

    async def log() -> AsyncIterator[bytes]:
        yield b"line\n"
        await asyncio.Event().wait()

    async def story(api: Connection) -> None:
        begun = asyncio.Semaphore(0)

        async def follow() -> None:
            async for _ in api.stream(POD.path(space, "x", "log"), {}):
                begun.release()

        tasks = [asyncio.create_task(follow()) for _ in range(many)]
        async with asyncio.timeout(60):
            for _ in range(many):
                await begun.acquire()
        assert (await api.list(POD, space)).items == []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    monkeypatch.setattr(double, "beside", lambda path, _: log() if path.endswith("/log") else None)
    tell(story)


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1", "v1"])
def test_a_login_by_a_program_that_is_asked_in_another_way_is_told(tmp_path: Path, version: str) -> None:
    plugin = {"apiVersion": f"client.authentication.k8s.io/{version}", "command": "aws", "args": ["eks", "get-token"]}
    config = {
        "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"exec": plugin}}],
    }  # fmt: skip
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    if version != "v1":
        assert from_kubeconfig(tmp_path / "config").user is not None
        return
    with pytest.raises(ConfigError, match=r"the program aws in the way client.authentication.k8s.io/v1, of which"):
        from_kubeconfig(tmp_path / "config")
