"""What a machine without some layers gets: a refusal, or functions that wait until somebody has accepted it."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.escape.conftest import HERE
from tests.system.conftest import end
from tests.system.driver import Platform, eventually

HELLO = "def handle(event, context):\n    return 'hello'\n"
Start = Callable[..., Platform]


@pytest.fixture
def at() -> Iterator[Start]:
    """Makes the platform of one data folder on machines that refuse some layers."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # functions of other accounts pass through it
        yield from _made_in(folder)


def _made_in(folder: Path) -> Iterator[Start]:
    made: list[Platform] = []

    def make(without: str = "") -> Platform:
        python = (sys.executable, "-P")
        prefix = (*python, str(HERE / "as_user.py"), "0") if without else ()
        refuse = (*python, str(HERE / "without.py"), without) if without else ()
        made.append(Platform(folder / "data", prefix=(*prefix, *refuse)))
        return made[-1]

    yield make
    end(made[-1])


def test_nothing_starts_without_any_layer_unless_it_is_told_to(at: Start) -> None:
    bare = at("namespaces,landlock,seccomp")
    refused = bare.run("start", "--detach")
    assert refused.code == 78
    assert "tier C" in refused.err
    assert "--allow-unsandboxed" in refused.err
    text = bare.start("--allow-unsandboxed")
    assert "UNSANDBOXED" in text
    assert "sandbox   tier C:" in text
    bare.deploy_function(bare.data_dir.parent / "hello", HELLO)
    assert bare.describe("hello")["sandbox_tier"] == "C"
    assert bare.ask("GET", "/function/hello").body == b"hello"


def test_a_lost_tier_keeps_functions_stopped_until_it_is_accepted(at: Start) -> None:
    whole = at()
    whole.start()
    whole.deploy_function(whole.data_dir.parent / "hello", HELLO)
    assert whole.ask("GET", "/function/hello").status == 200
    best = whole.describe("hello")["sandbox_tier"]
    whole.stop()
    less = at("landlock")
    text = less.start()
    assert f"No function runs: the sandbox of this machine is tier B-, and was {best} before" in text
    assert less.ask("GET", "/function/hello").status == 503
    assert "accept-tier B-" in less.describe("hello")["reason"]
    assert "stopped" in less.ok("doctor")
    assert "dayfly_sandbox_tier_lost{} 1" in metrics(less)
    refused = less.run("doctor", "--accept-tier", "A")
    assert refused.code == 64
    less.ok("doctor", "--accept-tier", "B-")
    assert "dayfly_sandbox_tier_lost{} 0" in metrics(less)
    assert 'dayfly_sandbox_tier{tier="B-"} 1' in metrics(less)
    eventually("it runs again", lambda: less.ask("GET", "/function/hello").status == 200)
    less.stop()
    assert "No function runs" not in at("landlock").start()


def metrics(platform: Platform) -> str:
    token = (Path(platform.data_dir) / "run" / "token").read_text().strip()
    headers = {"authorization": f"Bearer {token}"}
    return platform.ask("GET", "/metrics", listener="metrics_url", headers=headers).body.decode()
