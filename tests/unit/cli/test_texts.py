"""The words that faas-cli's users and their scripts look for, where no test of the command's own has them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dayfly import __version__

Run = Callable[..., Any]


def test_version_has_faas_clis_blocks(dayfly: Run) -> None:
    blocks = dayfly("version", "--warn-update=false").stdout.split("\n\n")
    assert blocks[0].splitlines()[:3] == ["CLI:", f" commit:  v{__version__}", f" version: {__version__}"]
    assert blocks[1] == "Gateway\n uri:     http://127.0.0.1:8080\n version: 9.9.9\n sha:     v9.9.9"
    assert blocks[2].splitlines()[:5] == [
        "Provider",
        " name:          dayfly",
        " orchestration: fake",
        " version:       9.9.9",
        " sha:           v9.9.9",
    ]
    assert json.loads(dayfly("version", "--json").stdout) == {
        "cli": {"commit": f"v{__version__}", "version": __version__},
        "gateway": {"uri": "http://127.0.0.1:8080", "version": "9.9.9", "sha": "v9.9.9"},
        "provider": {"name": "dayfly", "orchestration": "fake", "version": "9.9.9", "sha": "v9.9.9"},
    }
    assert dayfly("version", "--short-version").stdout == f"{__version__}\n"


def test_ready_names_the_namespace(dayfly: Run, platform: Any) -> None:
    platform.refuse = None
    assert dayfly("ready", "hello", "-n", "team", "--attempts", "1").stdout == (
        "[1/1] Waiting for function hello.team\n"
    )


def test_remove_says_what_it_removes(dayfly: Run, platform: Any, home: Path) -> None:
    (home / "stack.yaml").write_text("functions: {a: {image: x}, b: {image: x, namespace: team}}")
    assert dayfly("deploy", "--no-wait").exit_code == 0
    assert dayfly("remove").stdout.splitlines() == [
        "Deleting: a.",
        "Removing old function.",
        "Deleting: b.team",
        "Removing old function.",
    ]
    assert platform.functions == {}
    assert dayfly("rm", "a", "-f", "stack.yaml").exit_code == 64


def test_namespaces_and_secrets_are_listed_as_faas_cli_lists_them(dayfly: Run, platform: Any) -> None:
    for words in (("namespaces",), ("namespace", "list"), ("ns", "ls")):
        assert dayfly(*words).stdout == "Namespaces:\n - openfaas-fn\n"
        assert json.loads(dayfly(*words, "--json").stdout) == ["openfaas-fn"]
    platform.secrets = {("openfaas-fn", "key"): b"hush"}
    assert json.loads(dayfly("secret", "list", "--json").stdout) == [{"name": "key", "namespace": "openfaas-fn"}]


def test_a_secret_that_is_replaced_is_told(dayfly: Run, platform: Any) -> None:
    platform.secrets = {("openfaas-fn", "key"): b"old"}
    refused = dayfly("secret", "create", "key", stdin="new")
    assert (refused.exit_code, platform.secrets["openfaas-fn", "key"]) == (73, b"old")
    assert dayfly("secret", "create", "key", "--replace=true", stdin="new").stdout.splitlines() == [
        "Creating secret: key.openfaas-fn",
        "Secret key already exists, updating...",
        "Updated: 200 OK",
    ]
    assert dayfly("secret", "u", "key", "--trim=false", stdin=" x ").exit_code == 0
    assert platform.secrets["openfaas-fn", "key"] == b" x "


def test_the_shell_may_be_named_by_an_option(dayfly: Run) -> None:
    assert dayfly("completion", "--shell", "bash").stdout == dayfly("completion", "bash").stdout
    for words in ((), ("bash", "--shell", "zsh"), ("--shell", "csh")):
        assert dayfly("completion", *words).exit_code == 2


def test_a_stores_function_is_rolled_over_or_replaced(dayfly: Run, platform: Any) -> None:
    assert dayfly("store", "deploy", "figlet", "--no-wait").exit_code == 0
    assert dayfly("store", "deploy", "figlet", "--no-wait", "--update=false").exit_code == 73
    assert dayfly("store", "deploy", "figlet", "--no-wait", "--replace").exit_code == 64
    assert dayfly("store", "deploy", "figlet", "--no-wait", "--replace", "--update=false").exit_code == 0
    assert platform.functions["openfaas-fn", "figlet"].revision == 1
    listed = json.loads(dayfly("store", "list", "--json").stdout)
    assert "figlet" in [one["name"] for one in listed]
    assert json.loads(dayfly("store", "inspect", "figlet", "--json").stdout)["name"] == "figlet"
