"""`dayfly token`: shown once and on standard output alone, of one namespace or of all, and revoked by its id."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from dayfly.model.token import id_in

Run = Callable[..., Any]


def test_a_token_is_printed_once_and_alone(dayfly: Run, platform: Any) -> None:
    done = dayfly("token", "create", "-n", "team-a", "--role", "deploy", "--expires", "30d", "--note", "ci")
    assert done.exit_code == 0, done.stderr
    token = done.stdout.removesuffix("\n")
    name = id_in(token)
    assert name in platform.tokens
    assert token not in done.stderr
    assert f"Token {name}: deploy in team-a, until 2023-12-14T22:13:20Z. It is not shown again." in done.stderr
    listed = dayfly("token", "list", "-n", "team-a")
    assert [line.split("\t")[0] for line in listed.stdout.splitlines()[1:]] == [name]
    assert "2023-12-14T22:13:20Z\tci" in listed.stdout
    assert token.removeprefix("dayfly_").partition("_")[2] not in listed.stdout
    assert name not in dayfly("token", "list").stdout


def test_one_for_all_namespaces_is_asked_for_in_so_many_words(dayfly: Run, platform: Any) -> None:
    dayfly("token", "create", "--role", "view")
    dayfly("token", "create", "--role", "view", "--all-namespaces")
    assert [one.namespace for one in platform.tokens.values()] == ["openfaas-fn", None]
    rows = dayfly("token", "list", "-A").stdout.splitlines()[1:]
    assert [row.split("\t")[1].strip() for row in rows] == ["openfaas-fn", "<all>"]
    shown = json.loads(dayfly("token", "list", "-A", "-o", "json").stdout)
    assert [one["namespace"] for one in shown] == ["openfaas-fn", None]


def test_a_revoked_token_is_gone(dayfly: Run, platform: Any) -> None:
    name = json.loads(dayfly("token", "create", "-n", "team-a", "--role", "admin", "-o", "json").stdout)["status"]["id"]
    assert dayfly("token", "revoke", name).exit_code == 66
    done = dayfly("token", "revoke", name, "-n", "team-a")
    assert (done.exit_code, done.stdout) == (0, f"Token Revoked: {name}\n")
    assert platform.tokens == {}
    assert dayfly("token", "list", "-n", "team-a").stdout == "No tokens found.\n"


@pytest.mark.parametrize(
    "args",
    [
        ("create",),
        ("create", "--role", "owner"),
        ("create", "--role", "view", "--expires", "soon"),
        ("create", "--role", "view", "-n", "a", "-A"),
        ("create", "--role", "view", "-n", "Team"),
        ("create", "--role", "view", "--note", "a\nb"),
        ("revoke", "../functions/hello"),
        ("list", "-n", "a", "-A"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(dayfly: Run, platform: Any, args: tuple[str, ...]) -> None:
    assert dayfly("token", *args).exit_code in (2, 64)
    assert platform.requests == []
