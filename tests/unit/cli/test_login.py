"""login and logout: tried before it is kept, kept privately, forgotten when asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

Run = Callable[..., Any]
URL = "https://faas.example.org"


def test_a_login_is_tried_kept_used_and_forgotten(dayfly: Run, platform: Any, home: Path) -> None:
    outcome = dayfly("login", "-g", URL + "/", "--password-stdin", stdin="s3cret\n")
    assert (outcome.exit_code, outcome.stdout) == (0, f"credentials saved for admin {URL}\n")
    assert "s3cret" not in outcome.stdout + outcome.stderr
    assert (home.parent / "home/.config/dayfly/credentials.json").stat().st_mode & 0o777 == 0o600
    dayfly("list", "-g", URL)
    assert platform.requests[-1].headers["authorization"] == "Basic YWRtaW46czNjcmV0"
    assert dayfly("logout", "-g", URL).exit_code == 0
    assert dayfly("logout", "-g", URL).exit_code == 66
    dayfly("list", "-g", URL)
    assert "authorization" not in platform.requests[-1].headers


def test_a_wrong_password_is_not_kept(dayfly: Run, platform: Any, home: Path) -> None:
    platform.refuse = httpx2.Response(401, text="")
    outcome = dayfly("login", "-g", URL, "-p", "wrong")
    assert outcome.exit_code == 77
    assert "Unable to login, either username or password is incorrect" in outcome.stderr
    assert not (home.parent / "home/.config").exists()


@pytest.mark.parametrize(
    ("args", "stdin"),
    [((), ""), (("-s",), "\n"), (("-p", ""), ""), (("-p", "x", "-s"), "y"), (("-p", "x", "-u", "a:b"), "")],
)
def test_what_is_no_login_is_refused_before_anything_is_sent(
    dayfly: Run, platform: Any, args: tuple[str, ...], stdin: str
) -> None:
    assert dayfly("login", "-g", URL, *args, stdin=stdin).exit_code == 64
    assert platform.requests == []


def test_a_password_in_the_open_is_warned_of(dayfly: Run) -> None:
    outcome = dayfly("login", "-g", "http://faas.example.org", "-p", "x")
    assert "--password is insecure" in outcome.stderr
    assert "not using an encrypted connection" in outcome.stderr
