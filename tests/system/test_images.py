"""Functions that are images, on the whole platform: deployed, called, adopted, pinned, gone without a trace."""

import json
import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.engine.daemon import BASE, Daemon
from tests.system.conftest import end
from tests.system.console import PASSWORD
from tests.system.driver import Platform, eventually

COUNTS = """
import os
count = 0
def handle(event, context):
    global count
    count += 1
    print("said", event.text)
    return f"{os.environ['OPENFAAS_NAME']} {count} {event.text}"
"""


@pytest.fixture(scope="module")
def platform(daemon: Daemon) -> Iterator[Platform]:
    """A platform beside the engine, at a socket that is there only once the platform has started."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        Path(name).chmod(0o755)
        engine = Path(name) / "engine.sock"
        key_file = Path(name) / "secrets.key"
        environ = {"DAYFLY_DOCKER_HOST": f"unix://{engine}", "DAYFLY_SECRETS_KEY_FILE": str(key_file)}
        environ |= {"DAYFLY_ADMIN_PASSWORD": PASSWORD}
        platform = Platform(Path(name) / "data", environ)
        try:
            platform.start()
            refused = platform.run("deploy", "early", "--image", BASE)
            assert refused.code == 64
            assert "images need a container engine, and there is no Docker or Podman engine" in refused.err
            engine.symlink_to(daemon.socket)
            eventually("the engine is found", lambda: engine_of(platform))
            yield platform
        finally:
            end(platform)
        assert [each for each in daemon.containers() if each.startswith("dayfly-")] == []


@pytest.fixture(scope="module")
def installed(platform: Platform) -> Platform:
    """The platform, as those name it who look at its page."""
    return platform


def engine_of(platform: Platform) -> Any:
    return info(platform)["engine"]["engine"]


def info(platform: Platform) -> Any:
    token = (platform.data_dir / "run" / "token").read_text()
    return platform.ask("GET", "/system/info", headers={"Authorization": f"Bearer {token}"}).json()


def ask(platform: Platform, name: str, text: str = "") -> str:
    reply = platform.ask("POST", f"/function/{name}", text.encode())
    assert reply.status == 200, reply
    return reply.body.decode()


def replicas(platform: Platform, name: str) -> list[str]:
    return [each["id"] for each in platform.describe(name)["replicas"] if each["phase"] == "ready"]


def deploy(platform: Platform, name: str, source: str = COUNTS, *options: str, image: str = BASE) -> None:
    platform.ok("deploy", name, "--image", image, "--env", f"HANDLER={source}", *options)


def test_an_image_is_a_function_like_any_other(platform: Platform, daemon: Daemon) -> None:
    deploy(platform, "web", COUNTS, "--memory-limit", "96Mi")
    assert ask(platform, "web", "one") == "web 1 one"
    shown = platform.describe("web")
    assert (shown["spec"]["image"], shown["spec"]["runtime"], shown["sandbox_tier"]) == (BASE, "image", "")
    assert shown["pinned_image"].startswith("sha256:")
    (replica,) = shown["replicas"]
    assert replica["memory_bytes"] > 4 << 20
    eventually("it is in the log", lambda: "said one" in platform.ok("logs", "web"))
    platform.ok("scale", "web", "2")
    eventually("two replicas", lambda: len(replicas(platform, "web")) == 2)
    assert len([each for each in daemon.containers() if each.startswith("dayfly-")]) == 4
    assert info(platform)["engine"]["engine"]["name"] in ("Docker", "Podman")
    platform.ok("remove", "web")
    eventually("its containers are gone", lambda: not [c for c in daemon.containers() if c.startswith("dayfly-")])


def test_openfaas_clients_deploy_images(platform: Platform) -> None:
    token = (platform.data_dir / "run" / "token").read_text()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    asked = {"service": "faas", "image": BASE, "envVars": {"HANDLER": COUNTS}, "labels": {"a": "b"}}
    reply = platform.ask("POST", "/system/functions", json.dumps(asked).encode(), headers=headers)
    assert reply.status == 202, reply
    # The first call waits until a container serves.
    assert ask(platform, "faas", "x") == "faas 1 x"
    shown = platform.ask("GET", "/system/function/faas", headers=headers).json()
    assert (shown["image"], shown["availableReplicas"]) == (BASE, 1)
    body = json.dumps({"functionName": "faas"}).encode()
    assert platform.ask("DELETE", "/system/functions", body, headers=headers).status == 202


def test_a_secret_is_a_file_and_nowhere_else(platform: Platform, daemon: Daemon) -> None:
    source = "def handle(event, context):\n    return open('/var/openfaas/secrets/key').read()\n"
    platform.ok("secret", "create", "key", stdin="s3cret-value")
    deploy(platform, "safe", source, "--secret", "key")
    assert ask(platform, "safe") == "s3cret-value"
    seen = [daemon.inspect(name) for name in daemon.containers()]
    assert "s3cret-value" not in json.dumps(seen)
    platform.ok("remove", "safe")


def test_replicas_outlive_the_platform_and_a_tag_that_moves(platform: Platform, daemon: Daemon) -> None:
    tag, which = "dayfly-test/moves:1", COUNTS.replace("{count}", "{count} {os.environ['WHICH']}")
    daemon.variant(tag, "ENV WHICH=first")
    deploy(platform, "kept", which, "--label", "com.openfaas.scale.min=1", image=tag)
    assert ask(platform, "kept", "a") == "kept 1 first a"
    (before,) = replicas(platform, "kept")
    os.kill(platform.pids("control")[0], signal.SIGKILL)
    assert ask(platform, "kept", "b") == "kept 2 first b"
    eventually("the control plane is back", lambda: platform.run("describe", "kept").code == 0)
    eventually("it is the same replica", lambda: replicas(platform, "kept") == [before])
    # All of it at once: the container is found by the next start.
    os.kill(platform.status()["pid"], signal.SIGKILL)
    eventually("all of it is gone", lambda: not platform.status().get("pid"))
    daemon.variant(tag, "ENV WHICH=second")
    platform.start()
    assert ask(platform, "kept", "c") == "kept 3 first c"
    eventually("it is the same replica", lambda: replicas(platform, "kept") == [before])
    # What was deployed stays what it was; what is deployed from now on is what the tag means by now.
    platform.ok("scale", "kept", "2")
    eventually("another is there", lambda: len(replicas(platform, "kept")) == 2)
    assert {ask(platform, "kept", "x").split()[2] for _ in range(4)} == {"first"}
    deploy(platform, "kept", which, image=tag)
    assert ask(platform, "kept", "d") == "kept 1 second d"
    platform.ok("rollback", "kept")
    assert ask(platform, "kept", "e") == "kept 1 first e"
    eventually("it is in the log", lambda: "said e" in platform.ok("logs", "kept"))
    platform.ok("remove", "kept")


def test_an_image_that_cannot_be_had_or_fails_says_why(platform: Platform) -> None:
    missing = platform.run("deploy", "nowhere", "--image", "dayfly.invalid/nowhere:1")
    assert missing.code == 65, missing
    assert "dayfly.invalid/nowhere:1 cannot be pulled" in missing.err
    broken = platform.run("deploy", "broken", "--image", BASE, "--env", "HANDLER=raise SystemExit('broken on purpose')")
    assert broken.code == 1, broken
    assert "broken on purpose" in broken.err
    for name in ("nowhere", "broken"):
        platform.ok("remove", name)


def test_the_page_shows_containers_images_and_what_is_printed(page: Page, platform: Platform, daemon: Daemon) -> None:
    deploy(platform, "web")
    assert ask(platform, "web", "before") == "web 1 before"
    page.get_by_label("Main").get_by_role("link", name="Machine", exact=True).click()
    tabs = page.get_by_label("Machine", exact=True)
    tabs.get_by_role("link", name="Containers (2)").click()
    (replica,) = replicas(platform, "web")
    for name in daemon.containers():
        found = daemon.inspect(name)
        row = page.get_by_role("row").filter(has_text=found["Id"][:12])
        expect(row).to_contain_text(name)
        expect(row).to_contain_text("running")
        expect(row).to_contain_text("porter" if name.endswith("-porter") else BASE)
    page.get_by_role("button", name=f"Follow the log of {replica}", exact=True).click()
    log = page.get_by_role("dialog").get_by_role("log")
    expect(log).to_contain_text("said before")
    assert ask(platform, "web", "meanwhile") == "web 2 meanwhile"
    expect(log).to_contain_text("said meanwhile")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    # What works beside it has a log of its own.
    page.get_by_role("button", name=re.compile("^Follow the log of dayfly-.*-porter$")).click()
    expect(page.get_by_role("dialog", name=re.compile("-porter$"))).to_be_visible()
    expect(log).to_contain_text("It has said nothing yet.")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    tabs.get_by_role("link", name=re.compile("^Images")).click()
    used = page.get_by_role("row").filter(has_text=BASE)
    expect(used).to_contain_text("web.openfaas-fn")
    expect(used).to_contain_text(size(int(daemon.run("image", "inspect", "--format", "{{.Size}}", BASE))))
    tabs.get_by_role("link", name=re.compile("^Nodes")).click()
    here = page.get_by_role("row").filter(has_text=os.uname().nodename)
    expect(here).to_contain_text("ready")
    processors = sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
    memory = size(1024 * int(Path("/proc/meminfo").read_text().split()[1]))
    assert here.get_by_role("cell").all_inner_texts() == ["ready", str(processors), memory]
    expect(page.get_by_role("region", name="Memory", exact=True).first).to_contain_text(f"of {memory}")
    disk = os.statvfs(platform.data_dir)
    whole = size(disk.f_frsize * disk.f_blocks)
    expect(page.get_by_role("region", name="Disk", exact=True).first).to_contain_text(f"of {whole}")
    tabs.get_by_role("link", name=re.compile("^Processes")).click()
    for process in platform.status()["processes"]:
        expect(page.get_by_role("row").filter(has_text=re.compile(rf"^{process['pid']}\D"))).to_be_visible()
    platform.ok("remove", "web")


def size(number: float) -> str:
    """As the page writes it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
