"""key: made once, shown as the half that may be given away; and what deploy does with it."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_a_key_is_made_and_shown(dayfly: Run, home: Path) -> None:
    made = dayfly("key", "generate", "release.key")
    assert made.exit_code == 0, made.stderr
    assert stat.S_IMODE((home / "release.key").stat().st_mode) == 0o600
    for file in ("release.key", "release.key.pub"):
        shown = dayfly("key", "show", file)
        assert shown.stdout == made.stdout == (home / "release.key.pub").read_text()
        assert "PRIVATE" not in shown.stdout
    assert dayfly("key", "generate", "release.key").exit_code == 73
    assert dayfly("key", "show", "missing").exit_code == 78


@pytest.mark.usefixtures("home")
def test_a_folder_has_no_signature_to_check(dayfly: Run, platform: Any, home: Path) -> None:
    (home / "hello").mkdir()
    (home / "hello" / "handler.py").write_text("def handle(event, context): return ''\n")
    dayfly("key", "generate", "k")
    refused = dayfly("deploy", "hello", "--handler", "hello", "--verify-key", "k.pub")
    assert refused.exit_code == 64
    assert "--verify-key is for images" in refused.stderr
    assert platform.requests == []


def test_an_image_is_deployed_by_the_digest_that_is_signed(
    dayfly: Run, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def verified(image: str, keys: Any) -> str:
        asked.append((image, keys))
        return "registry.test/team/a@sha256:" + "a" * 64

    monkeypatch.setattr("dayfly.client.verification.verified", verified)
    platform.states = ["ready"]
    done = dayfly("deploy", "a", "--image", "registry.test/team/a:1", "--verify-key", "k.pub")
    assert done.exit_code == 0, done.stderr
    assert asked == [("registry.test/team/a:1", (Path("k.pub"),))]
    (sent,) = [request for request in platform.requests if request.method == "PUT"]
    assert b'"image":"registry.test/team/a@sha256:' in sent.content
    assert b'"com.dayfly.image":"container"' in sent.content
