"""`dayfly template`, and `dayfly new` where a template is missing."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.client.test_template_pull import run_git, write_templates

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A template store, whose list names a repository on this machine."""
    folder = tmp_path_factory.mktemp("store")
    write_templates(folder)
    run_git(folder, "init", "--quiet")
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message", "x")
    run_git(folder, "tag", "v1")
    about = {"platform": "x86_64", "language": "Cobol", "source": "team", "description": "Old", "official": "false"}
    listed = [
        {"template": "cobol", "repo": f"file://{folder}", "recommended": True, **about},
        {"template": "fortran", "repo": f"file://{folder}", "recommended": False, **about, "platform": "armhf"},
    ]

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(listed).encode())

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/templates.json"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENFAAS_TEMPLATE_URL", "OPENFAAS_TEMPLATE_STORE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_pulling_says_what_was_written(dayfly: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_templates(home / "ours")
    done = dayfly("template", "pull", "ours")
    assert (done.exit_code, done.stdout) == (0, "Wrote 2 template(s) : [cobol python3-http]\n")
    again = dayfly("template", "pull", "ours", "--no-overwrite")
    assert (again.exit_code, "unable to overwrite the following: [cobol python3-http]" in again.stderr) == (73, True)
    monkeypatch.setenv("OPENFAAS_TEMPLATE_URL", "ours")
    assert dayfly("template", "pull").stdout.startswith("Wrote 2 ")
    listed = dayfly("template", "list").stdout
    assert "- cobol " in listed
    assert listed == dayfly("new", "--list").stdout


def test_a_stack_file_names_what_to_pull(dayfly: Run, home: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_templates(home / "ours")
    (home / "stack.yaml").write_text(
        "configuration:\n  templates:\n    - {name: python3-http, source: ours}\n    - name: cobol\nfunctions: {}\n"
    )
    monkeypatch.setenv("OPENFAAS_TEMPLATE_STORE_URL", store)
    done = dayfly("template", "pull", "stack")
    assert done.stdout.splitlines() == [
        "Pulling template: python3-http from ours",
        "Wrote 1 template(s) : [python3-http]",
        "Pulling template: cobol from store",
        "Wrote 2 template(s) : [cobol python3-http]",
    ]
    (home / "other.yaml").write_text("functions: {}\n")
    none = dayfly("template", "pull", "stack", "-f", "other.yaml")
    assert (none.exit_code, "names no templates" in none.stderr) == (64, True)
    (home / "wrong.yaml").write_text("configuration: {templates: [cobol]}\n")
    assert "configuration.templates: must be a list" in dayfly("template", "pull", "stack", "-f", "wrong.yaml").stderr
    assert dayfly("template", "pull", "ours", "-f", "stack.yaml").exit_code == 64


def test_a_store_is_listed_shown_and_pulled_from(dayfly: Run, home: Path, store: str) -> None:
    head, row = dayfly("template", "store", "list", "--url", store).stdout.splitlines()
    assert [each.strip() for each in head.split("\t")] == ["NAME", "RECOMMENDED", "DESCRIPTION", "SOURCE"]
    assert [each.strip() for each in row.split("\t")] == ["cobol", "[x]", "Old", "team"]
    assert "fortran" in dayfly("template", "store", "ls", "--platform", "armhf", "--url", store).stdout
    assert json.loads(dayfly("template", "store", "list", "--json", "--url", store).stdout)[0]["template"] == "cobol"
    assert "team" in dayfly("template", "store", "describe", "team/cobol", "--url", store).stdout
    done = dayfly("template", "store", "pull", "cobol@v1", "--url", store)
    assert done.stdout == "Wrote 2 template(s) : [cobol@v1 python3-http@v1]\n"
    assert (home / "template/cobol@v1/meta.json").is_file()


def test_ours_is_the_store_where_none_is_named(dayfly: Run) -> None:
    assert "python" in dayfly("template", "store", "list", "--recommended", "--official").stdout
    assert dayfly("template", "store", "pull", "go").stdout == "go comes with Dayfly: there is nothing to pull.\n"
    none = dayfly("template", "store", "pull", "cobol")
    assert (none.exit_code, "`cobol` does not exist in the store" in none.stderr) == (66, True)


@pytest.mark.parametrize("lang", ["cobol", "cobol@v1"])
def test_new_pulls_what_is_missing_where_a_store_is_named(
    dayfly: Run, home: Path, store: str, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = dayfly("new", "hello", "--lang", lang)
    assert (refused.exit_code, "`dayfly new --pull` looks in the template store" in refused.stderr) == (64, True)
    assert not (home / "template").exists()
    monkeypatch.setenv("OPENFAAS_TEMPLATE_STORE_URL", store)
    done = dayfly("new", "hello", "--lang", lang)
    assert done.exit_code == 0, done.stderr
    assert (home / "hello/handler.txt").read_text() == "one"
    assert f"lang: {lang}\n" in (home / "stack.yaml").read_text()
    unknown = dayfly("new", "other", "--lang", "pascal", "--append", "stack.yaml")
    assert (unknown.exit_code, "nor in the template store" in unknown.stderr) == (64, True)


def test_a_bad_template_is_named_and_the_others_are_listed(dayfly: Run, home: Path) -> None:
    bad = home / "template" / "bad"
    bad.mkdir(parents=True)
    (bad / "template.yml").write_text("dayfly: [")
    done = dayfly("template", "list")
    assert done.exit_code == 0
    assert "template/bad/template.yml" in done.stderr
    assert "- python " in done.stdout
    assert dayfly("new", "hello", "--lang", "python").exit_code == 0
