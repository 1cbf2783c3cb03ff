"""What the engine is asked to make: never more than a function may have, and never a secret."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.providers.docker.orders import ORDERS, SECRET, order

from dayfly.model.engine import ContainerEngine
from dayfly.model.replica import StartOrder
from dayfly.providers.docker import container, porter_image
from dayfly.providers.docker.images import Image

PLACE = porter_image.place("0123456789ab")
IMAGES = st.builds(
    Image,
    id=st.just("sha256:" + "a" * 64),
    user=st.sampled_from(["", "root", "0", "00:00", "app", "100", "100:101"]),
    env=st.sampled_from([{}, {"HOME": "/home/app", "PATH": "/bin"}]),
    volumes=st.sampled_from([(), ("/data",)]),
)


def made(asked: StartOrder, image: Image, user: str = "") -> dict[str, Any]:
    secrets = "/dev/shm/x" if asked.secrets else ""
    return container.function(PLACE, asked, image, porter_id="p" * 64, user=user, hosts="/run/x/hosts", secrets=secrets)


def env_of(document: dict[str, Any]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in document["Env"])


@given(ORDERS, IMAGES)
def test_a_container_is_fenced_whatever_was_ordered(asked: StartOrder, image: Image) -> None:
    for document in (
        made(asked, image, container.own_user(asked) if container.is_root(image.user) else ""),
        container.porter(PLACE, asked, "sha256:" + "b" * 64, "/run/x/s"),
    ):
        host = document["HostConfig"]
        assert (host["ReadonlyRootfs"], host["Privileged"], host["CapDrop"]) == (True, False, ["ALL"])
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["IpcMode"] == "private"
        assert host["RestartPolicy"] == {"Name": "no"}
        assert not {"Binds", "Devices", "PidMode", "UTSMode", "UsernsMode", "CgroupParent", "VolumesFrom"} & set(host)
        assert host["Memory"] == host["MemorySwap"] > 0
        assert 0 < host["PidsLimit"] <= 512
        hard = {limit["Name"]: limit["Hard"] for limit in host["Ulimits"]}
        assert hard.pop("nofile") <= 4096
        assert hard == {"fsize": 1 << 30, "core": 0}
        assert not any("docker.sock" in mount["Source"] for mount in host["Mounts"])


@given(ORDERS, IMAGES)
def test_a_function_sees_its_secrets_and_nothing_else_of_this_machine(asked: StartOrder, image: Image) -> None:
    document = made(asked, image)
    shown = {"/etc/hosts": "/run/x/hosts"} | ({"/var/openfaas/secrets": "/dev/shm/x"} if asked.secrets else {})
    assert document["HostConfig"]["Mounts"] == [
        {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True} for target, source in shown.items()
    ]
    assert ("DAYFLY_SECRETS" in env_of(document)) == bool(asked.secrets)
    assert document["HostConfig"]["NetworkMode"] == "container:" + "p" * 64
    text = msgspec.json.encode([document, container.porter(PLACE, asked, "sha256:x", "/run/x/s")])
    assert SECRET not in text


@given(ORDERS)
def test_a_label_keeps_the_order_but_for_the_secrets(asked: StartOrder) -> None:
    labels = made(asked, Image(id="x"))["Labels"]
    assert container.order_in(labels, asked.secrets) == asked
    assert labels["dayfly.installation"] == "0123456789ab"
    assert labels["dayfly.replica"] == asked.replica


@given(ORDERS)
def test_a_porter_has_no_network_and_rights_only_for_what_takes_them(asked: StartOrder) -> None:
    host = container.porter(PLACE, asked, "sha256:x", "/run/x/s")["HostConfig"]
    assert host["NetworkMode"] == ("bridge" if asked.network == "host" else "none")
    literal = asked.network == "proxy" and "tcp://10.1.2.3:5432" in asked.allow
    assert bool(host["CapAdd"]) == literal
    writable = [mount["Target"] for mount in host["Mounts"] if not mount["ReadOnly"]]
    assert writable == ["/porter"]


def test_the_doors_of_a_function_are_where_its_names_lead() -> None:
    asked = order(allow=("public", "tcp://db.internal:5432", "tcp://db.internal:5433", "tcp://10.1.2.3:1"))
    document = container.porter(PLACE, asked, "sha256:x", "/run/x/s")
    listens = [document["Cmd"][at + 1] for at, word in enumerate(document["Cmd"]) if word == "--listen"]
    assert listens == ["127.0.0.1:3128", "127.0.1.1:5432", "127.0.1.1:5433", "10.1.2.3:1"]
    assert "127.0.1.1 db.internal\n" in container.exits(asked)[0].hosts_file("x")
    env = env_of(made(asked, Image(id="x")))
    assert env["HTTP_PROXY"] == env["https_proxy"] == "http://127.0.0.1:3128"
    assert "db.internal" in env["NO_PROXY"]


@pytest.mark.parametrize(("network", "allow"), [("none", ("public",)), ("host", ("public",)), ("proxy", ())])
def test_without_a_grant_there_is_no_proxy(network: str, allow: tuple[str, ...]) -> None:
    asked = order(network=network, allow=allow)
    assert "--listen" not in container.porter(PLACE, asked, "sha256:x", "/run/x/s")["Cmd"]
    assert "HTTP_PROXY" not in env_of(made(asked, Image(id="x")))


def test_limits_are_those_of_every_replica() -> None:
    plain = made(order(), Image(id="x"))["HostConfig"]
    assert (plain["Memory"], plain["NanoCpus"], plain["PidsLimit"]) == (512 << 20, 0, 512)
    assert "size=268435456,nr_inodes=16384" in plain["Tmpfs"]["/tmp"]
    asked = order(memory_bytes=128 << 20, cpu_millicores=250)
    limited = made(asked, Image(id="x", volumes=("/data",)))["HostConfig"]
    assert (limited["Memory"], limited["NanoCpus"]) == (128 << 20, 250_000_000)
    # What the image declares as a volume would lie on the engine's disk without any limit.
    assert limited["Tmpfs"]["/data"] == limited["Tmpfs"]["/tmp"]
    assert f"size={64 << 20}," in limited["Tmpfs"]["/data"]


def test_a_folder_in_memory_is_the_functions_own_as_far_as_the_engine_can_say_so() -> None:
    own = made(order(), Image(id="x"), "20000:20001")["HostConfig"]["Tmpfs"]["/tmp"]
    assert own.endswith(",nr_inodes=16384,uid=20000,gid=20001")
    named = made(order(), Image(id="x", user="app"))["HostConfig"]["Tmpfs"]["/tmp"]
    assert named.endswith(",nr_inodes=16384")
    podman = porter_image.place("x", ContainerEngine(name="Podman", version="4", socket="/s"))
    document = container.function(podman, order(), Image(id="x"), porter_id="p", user="20000:20000", hosts="/h")
    assert document["HostConfig"]["Tmpfs"]["/tmp"] == f"rw,exec,nosuid,nodev,mode=1777,size={256 << 20}"


def test_a_container_of_podman_is_told_its_name_and_one_of_docker_has_its_porters() -> None:
    assert "Hostname" not in made(order(), Image(id="x"))
    podman = porter_image.place("x", ContainerEngine(name="Podman", version="4", socket="/s"))
    document = container.function(podman, order(), Image(id="x"), porter_id="p", user="20000:20000", hosts="/h")
    assert document["Hostname"] == "r" * 10


def test_the_watchdogs_variables_are_set_unless_the_author_set_them() -> None:
    asked = order(process="python3 index.py", timeout_s=30.0, env={"write_timeout": "5m", "OPENFAAS_NAME": "forged"})
    env = env_of(made(asked, Image(id="x")))
    assert (env["fprocess"], env["exec_timeout"], env["read_timeout"], env["write_timeout"]) == (
        "python3 index.py", "30s", "31s", "5m"
    )  # fmt: skip
    assert (env["OPENFAAS_NAME"], env["OPENFAAS_NAMESPACE"], env["PORT"]) == ("hello", "openfaas-fn", "8080")
    assert "fprocess" not in env_of(made(order(), Image(id="x")))


def test_home_is_the_images_unless_its_user_is_ours() -> None:
    assert "HOME" not in env_of(made(order(), Image(id="x", user="app")))
    assert env_of(made(order(), Image(id="x"), user="20000:20000"))["HOME"] == "/tmp"
    with_home = Image(id="x", env={"HOME": "/srv"})
    assert "HOME" not in env_of(made(order(), with_home, user="20000:20000"))


@pytest.mark.parametrize(
    ("user", "root"),
    [("", True), ("root", True), ("root:app", True), ("0", True), ("000:5", True), ("app", False), ("100", False)],
)
def test_root_is_known_by_its_names(user: str, root: bool) -> None:
    assert container.is_root(user) == root


def test_a_users_number_is_found_in_the_accounts() -> None:
    accounts = ["root:x:0:0::/:/bin/sh", "", "sly:x:0:0::/:", "app:x:100:100::/home/app:", "odd:x:abc:1::/:", "short:x"]
    assert [container.uid_in(accounts, name) for name in ("sly", "app", "odd", "short", "none")] == [
        0, 100, None, None, None
    ]  # fmt: skip
    uid, gid = container.own_user(order()).split(":")
    assert uid == gid
    assert 20_000 <= int(uid) < 60_000
