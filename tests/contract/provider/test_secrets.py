"""What a function finds of its secrets, and that nobody else finds anything of them."""

import asyncio
import hashlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dayfly.model.replica import StartOrder

STAGES = ("local", "kubernetes")

FIXED = "/var/openfaas/secrets"
CANARY = "canary-of-the-contract-suite"
CONTENTS = {"text": f"{CANARY}\n".encode(), "bytes.bin": bytes(range(256)), "large": b"x" * 300_000}

NODE = shutil.which("node")

LOOK = """
import errno, hashlib, json, os

def tried(action, *args):
    try:
        action(*args)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def handle(event, context):
    folder = os.environ.get("DAYFLY_SECRETS", "")
    found = {}
    for name in sorted(os.listdir(folder)) if folder else ():
        path = f"{folder}/{name}"
        with open(path, "rb") as file:
            content = file.read()
        about = os.stat(path)
        found[name] = [hashlib.sha256(content).hexdigest(), about.st_mode, about.st_uid == os.getuid()]
    target = f"{folder}/text"
    return {
        "folder": folder, "found": found, "fixed": os.path.exists("/var/openfaas/secrets/text"),
        "mode": os.stat(folder).st_mode if folder else 0,
        "refused": [
            tried(os.chmod, target, 0o600), tried(os.chmod, folder, 0o700), tried(open, target, "w"),
            tried(os.unlink, target), tried(open, f"{folder}/new", "w"), tried(os.rename, target, f"{folder}/other"),
        ] if folder else [],
        "environ": list(os.environ.values()),
        "command": open("/proc/self/cmdline").read() if os.path.exists("/proc/self/cmdline") else "",
    }
"""

SEARCH = """
import ctypes

def handle(event, context):
    needle = event.body[::-1]
    found = 0
    with open("/proc/self/maps") as maps:
        regions = [line.split() for line in maps if "[v" not in line]
    for where, rights, *_ in regions:
        if rights.startswith("r"):
            start, end = (int(part, 16) for part in where.split("-"))
            found += ctypes.string_at(start, end - start).count(needle)
    return str(found)
"""

without_jail = pytest.mark.parametrize("stage", [{"namespaces": False}], indirect=True)


def given(stage: Any, source: str, **changes: Any) -> StartOrder:
    """Return an order with all of CONTENTS."""
    order: StartOrder = stage.order(
        source, secrets=CONTENTS, secret_versions=dict.fromkeys(CONTENTS, 1), timeout_s=10.0, **changes
    )
    return order


async def told(ask: Any, provider: Any, audience: Any, order: StartOrder) -> dict[str, Any]:
    await provider.start(order)
    answer = await ask((await audience.ready(order.replica)).address)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def check(found: dict[str, Any]) -> None:
    wanted = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    assert {name: each[0] for name, each in found["found"].items()} == wanted
    assert {(stat.S_IMODE(mode), mine) for _, mode, mine in found["found"].values()} == {(0o400, True)}
    assert stat.S_IMODE(found["mode"]) == 0o500
    assert "done" not in found["refused"][2:]
    assert CANARY not in str(found["environ"]) + found["command"]


def test_secrets_are_files_with_their_exact_bytes_that_nobody_can_change(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            found = await told(ask, provider, audience, given(stage, LOOK))
            check(found)
            assert found["folder"] == FIXED
            assert found["fixed"]
            assert set(found["refused"]) == {"EROFS"}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("process", "answer"),
    [(f"cat {FIXED}/text", CONTENTS["text"]), ("printenv DAYFLY_SECRETS", f"{FIXED}\n".encode())],
)
def test_programs_find_them_too(stage: Any, ask: Any, process: str, answer: bytes) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = given(stage, "", runtime="exec", lang="exec", process=process)
            await provider.start(order)
            assert (await ask((await audience.ready(order.replica)).address)).body == answer

    asyncio.run(main())


@pytest.mark.skipif(NODE is None, reason="there is no node on PATH: apt-get install nodejs")
def test_functions_in_node_find_them_too(stage: Any, ask: Any) -> None:
    order = given(stage, "", runtime="node", lang="node", interpreter=os.path.realpath(NODE or ""))
    path = Path(order.code_dir, "handler.js")
    path.write_text(
        "module.exports = async () => require('fs').readFileSync(`${process.env.DAYFLY_SECRETS}/bytes.bin`);\n"
    )
    path.chmod(0o644)

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            await provider.start(order)
            assert (await ask((await audience.ready(order.replica)).address)).body == CONTENTS["bytes.bin"]

    asyncio.run(main())


def test_a_function_without_secrets_has_no_folder_for_them(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            found = await told(ask, provider, audience, stage.order(LOOK))
            assert (found["folder"], found["found"], found["fixed"]) == ("", {}, False)

    asyncio.run(main())


def test_another_version_is_another_content_and_the_same_one_another_replica(stage: Any, ask: Any) -> None:
    source = f"def handle(event, context):\n    return open('{FIXED}/one', 'rb').read()\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = stage.order(source, secrets={"one": b"1"}, secret_versions={"one": 1})
            second = msgspec.structs.replace(stage.again(first), secrets={"one": b"2"}, secret_versions={"one": 2})
            answers = []
            for order in (first, stage.again(first), second):
                await provider.start(order)
                answers.append((await ask((await audience.ready(order.replica)).address)).body)
            assert answers == [b"1", b"1", b"2"]

    asyncio.run(main())


def test_who_adopts_a_replica_learns_which_secrets_it_holds_and_not_what_is_in_them(stage: Any) -> None:
    async def main() -> None:
        order = given(stage, LOOK)
        async with stage.opened() as (provider, audience):
            await provider.start(order)
            await audience.ready(order.replica)
        async with stage.opened() as (provider, _):
            (found,) = await provider.recover()
            assert found.order == order.without_contents()
            assert found.order.secret_versions == {"text": 1, "bytes.bin": 1, "large": 1}

    asyncio.run(main())


def test_no_other_function_has_it_in_its_memory_nor_has_the_zygote(stage: Any, ask: Any) -> None:
    """A zygote's memory is every function's: not even a digest may be there from which a short one could be guessed."""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            await told(ask, provider, audience, given(stage, LOOK))
            other = stage.order(SEARCH)
            await provider.start(other)
            address = (await audience.ready(other.replica)).address
            assert (await ask(address, CANARY.encode()[::-1])).body == b"1", "its own needle, and no more"

    asyncio.run(main())


@pytest.mark.local_only("it is about a name, which is made without any replica")
def test_templates_are_told_apart_by_versions_and_never_by_contents(stage: Any) -> None:
    from dayfly.providers.local.provider import template_name

    order = stage.order(LOOK, secrets={"one": b"1"}, secret_versions={"one": 1})
    same = msgspec.structs.replace(order, secrets={"one": b"2"})
    other = msgspec.structs.replace(order, secret_versions={"one": 2})
    assert template_name(order) == template_name(same) != template_name(other)
    assert template_name(msgspec.structs.replace(order, apart=True)) == template_name(order), "it imports the same"


@pytest.mark.local_only("it is about an order, which is printed without any replica")
def test_nothing_that_prints_an_order_shows_what_is_in_it(stage: Any) -> None:
    order = given(stage, LOOK)
    text = f"{order} {order!r} {[order]} {(order,)}"
    assert CANARY not in text
    assert "text" in text
    assert "handler" in text


@without_jail
def test_without_a_root_of_its_own_they_are_in_memory_and_the_function_is_told_where(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = given(stage, LOOK)
            found = await told(ask, provider, audience, order)
            check(found)
            assert not found["fixed"]
            folder = Path(found["folder"])
            assert folder.parent.parent in (Path("/dev/shm"), Path("/run"), Path(f"/run/user/{os.geteuid()}"))
            assert stat.S_IMODE(folder.parent.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)
            await audience.line("its secrets are in $DAYFLY_SECRETS")
            place = folder.parent
            stage.zygote.kill()
            stage.zygote.wait()
            assert list(place.iterdir()) == [folder]
            stage.start_zygote()
        async with stage.opened():
            assert not place.exists(), "what a zygote that was killed has left"
            place = (stage.run / "scratch" / "zygote" / "secrets").resolve(strict=True)
        stage.zygote.terminate()
        stage.zygote.wait()
        assert not place.exists(), "what one that ended has left"

    asyncio.run(main())
