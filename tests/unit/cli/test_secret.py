"""`dayfly secret`: faas-cli's texts, true exit codes, and contents that are sent exactly and never shown."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from dayfly.cli.main import cli

Run = Callable[..., Any]
OURS = "openfaas-fn"
CANARY = "canary-of-the-command-line"


def test_a_secret_is_created_once_and_replaced_when_asked(dayfly: Run, platform: Any) -> None:
    done = dayfly("secret", "create", "one", stdin=CANARY)
    assert (done.exit_code, done.stdout) == (0, "Creating secret: one.openfaas-fn\nCreated: 202 Accepted\n")
    refused = dayfly("secret", "create", "one", stdin="other")
    assert refused.exit_code == 73
    assert "exists already" in refused.stderr
    assert platform.secrets == {(OURS, "one"): CANARY.encode()}
    replaced = dayfly("secret", "create", "one", "--replace", stdin="other")
    assert (replaced.exit_code, replaced.stdout.splitlines()[-1]) == (0, "Updated: 200 OK")
    assert platform.secrets == {(OURS, "one"): b"other"}


def test_an_update_needs_one_that_is_there(dayfly: Run, platform: Any) -> None:
    assert dayfly("secret", "update", "one", stdin="x").exit_code == 66
    dayfly("secret", "create", "one", "-n", "team-a", stdin="x")
    done = dayfly("secret", "u", "one", "--namespace", "team-a", stdin="y")
    assert done.stdout == "Updating secret: one.team-a\nUpdated: 200 OK\n"
    assert platform.secrets == {("team-a", "one"): b"y"}


@pytest.mark.parametrize(
    ("data", "options", "kept"),
    [
        (b"  text\r\n", (), b"text"),
        (b"  text\r\n", ("--no-trim",), b"  text\r\n"),
        (b"\x00\xff key that ends in a newline\n", (), b"\x00\xff key that ends in a newline\n"),
        ("\u2003Ω\n".encode(), (), "Ω".encode()),
    ],
)
@pytest.mark.parametrize("way", ["stdin", "file"])
def test_text_is_trimmed_and_bytes_are_left_alone(
    dayfly: Run, platform: Any, tmp_path: Path, way: str, data: bytes, options: tuple[str, ...], kept: bytes
) -> None:
    (tmp_path / "given").write_bytes(data)
    given = ("--from-file", str(tmp_path / "given")) if way == "file" else ()
    assert dayfly("secret", "create", "one", *given, *options, stdin=data if way == "stdin" else b"").exit_code == 0
    assert platform.secrets[OURS, "one"] == kept


def test_a_literal_is_taken_with_a_warning(dayfly: Run, platform: Any) -> None:
    done = dayfly("secret", "create", "one", "--from-literal", CANARY)
    assert "Others on this machine may see" in done.stderr
    assert platform.secrets[OURS, "one"] == CANARY.encode()


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (("create", "../one"), CANARY, "not a secret name"),
        (("create", "One"), CANARY, "not a secret name"),
        (("create", "one"), "", "is empty"),
        (("create", "one"), " \n", "is empty"),
        (("create", "one", "--from-file", "absent"), "", "absent cannot be read"),
        (("create", "one", "--from-literal", "x", "--from-file", "y"), "", "not both"),
        (("create", "one"), "x" * (1024 * 1024 + 1), "more than the 1048576"),
        (("create", "one", "--namespace", "a.b"), CANARY, "not a namespace"),
        (("remove", "../one"), "", "not a secret name"),
        (("apply",), "", "no folder .secrets"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    dayfly: Run, platform: Any, arguments: tuple[str, ...], stdin: str, says: str
) -> None:
    done = dayfly("secret", *arguments, stdin=stdin)
    assert done.exit_code == 64
    assert says in done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert platform.requests == []


def test_the_list_names_them_and_their_users(dayfly: Run, platform: Any) -> None:
    assert dayfly("secret", "list").stdout == "No secrets found.\n"
    platform.secrets = {(OURS, "b"): b"x", (OURS, "a"): b"x", ("other", "c"): b"x"}
    platform.users = {"a": ("hello", "mail")}
    lines = dayfly("secret", "ls").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "a", "b"]
    assert "hello, mail" in lines[1]
    assert dayfly("secret", "list", "-o", "name").stdout == "a\nb\n"


def test_one_in_use_is_removed_by_force(dayfly: Run, platform: Any) -> None:
    platform.secrets, platform.users = {(OURS, "a"): b"x"}, {"a": ("hello",)}
    refused = dayfly("secret", "remove", "a")
    assert (refused.exit_code, "used by hello" in refused.stderr) == (73, True)
    assert dayfly("secret", "rm", "a", "--force").stdout == "Removed.. OK.\n"
    assert dayfly("secret", "delete", "a").exit_code == 66


def test_a_folder_is_applied_whole_or_not_at_all(dayfly: Run, platform: Any, home: Path) -> None:
    folder = home / ".secrets"
    folder.mkdir()
    (folder / "one").write_text("1\n")
    (folder / "two.key").write_bytes(b"\x00\n")
    (folder / ".gitignore").write_text("*")
    (folder / "sub").mkdir()
    platform.secrets = {(OURS, "one"): b"old", (OURS, "three"): b"3"}
    done = dayfly("secret", "apply")
    assert done.stdout.splitlines() == [
        "Creating secret: one.openfaas-fn", "Secret one already exists, updating...", "Updated: 200 OK",
        "Creating secret: two.key.openfaas-fn", "Created: 202 Accepted",
    ]  # fmt: skip
    assert platform.secrets == {(OURS, "one"): b"1", (OURS, "two.key"): b"\x00\n", (OURS, "three"): b"3"}
    (folder / "BAD").write_text("x")
    (folder / "one").write_text("changed")
    assert dayfly("secret", "apply").exit_code == 64
    assert platform.secrets[OURS, "one"] == b"1"


def test_a_generated_secret_is_random_and_goes_into_a_private_file(dayfly: Run, home: Path) -> None:
    made = [dayfly("secret", "generate").stdout for _ in range(2)]
    assert all(len(each) == 33 and each.strip().isalnum() for each in made)
    assert made[0] != made[1]
    done = dayfly("secret", "gen", "--length", "64", "-o", "made")
    assert done.stdout == ""
    assert len((home / "made").read_text()) == 64
    assert stat.S_IMODE((home / "made").stat().st_mode) == 0o600


def test_a_rotation_tells_which_keys_are_which(dayfly: Run, platform: Any) -> None:
    platform.secrets = {(OURS, "a"): b"x"}
    lines = dayfly("secret", "rotate-key").stdout.splitlines()
    assert lines[0] == "Rotated: 1 secrets are encrypted under the key bbbb."
    assert lines[1].startswith("Retired: aaaa.")
    assert lines[2].startswith("Not needed any more: cccc.")


def test_every_subcommand_has_examples() -> None:
    group = cli.get_command(click.Context(cli), "secret")
    assert isinstance(group, click.Group)
    for name, command in group.commands.items():
        assert f"dayfly secret {name}" in (command.help or "")
