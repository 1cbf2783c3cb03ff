"""`dayfly store`: our list without a network, another's by its URL, and what is deployed from them."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
OTHERS = {
    "version": "0.2.1",
    "unknown": 1,
    "functions": [
        {
            "name": "ocr", "title": "Optical reading", "description": "Reads. " * 40, "author": "",
            "images": {"x86_64": "ghcr.io/x/ocr:1", "ARM64": "ghcr.io/x/ocr-arm:1"}, "fprocess": "python index.py",
            "environment": {"A": "1"}, "labels": {"l": "2"}, "annotations": {"a": "3"}, "readOnlyRootFilesystem": True,
            "icon": "https://x/i.png", "repo_url": "https://x/repo", "network": "none", "new": True,
        },
        {"name": "pi", "title": "Only on a Pi", "images": {"armhf": "x/pi"}},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def others() -> Iterator[str]:
    """Another store, and beside it what is none."""
    bodies = {"/functions.json": json.dumps(OTHERS).encode(), "/none": b"[]", "/large": b" " * 5_000_000}

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(bodies[self.path])

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENFAAS_STORE", raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def test_our_list_needs_nothing(dayfly: Run, platform: Any) -> None:
    lines = dayfly("store", "list").stdout.splitlines()
    assert lines[0].split() == ["FUNCTION", "AUTHOR", "DESCRIPTION"]
    assert any(line.split()[:2] == ["figlet", "dayfly"] for line in lines)
    assert len(lines) > 20
    assert "figlet" in dayfly("store", "ls", "-o", "name").stdout.split()
    assert platform.requests == []


@pytest.mark.parametrize("name", ["cat", "alpine", "ECHO"])
def test_a_function_is_shown_by_name_alias_or_title(dayfly: Run, name: str) -> None:
    shown = dayfly("store", "inspect", name).stdout
    fields = dict(line.split(":", 1) for line in shown.splitlines())
    assert (fields["Image"].strip(), fields["Process"].strip()) == ("dayfly/cat:latest", "cat")
    assert "openfaas/alpine" in fields["Stands in for"]
    assert json.loads(dayfly("store", "describe", name, "-o", "json").stdout)["name"] == "cat"


def test_one_that_is_not_there_is_not_found(dayfly: Run) -> None:
    done = dayfly("store", "describe", "cobol")
    assert (done.exit_code, "no function 'cobol'" in done.stderr) == (66, True)


@pytest.mark.parametrize("how", ["option", "variable"])
def test_another_store_is_read_by_its_url(dayfly: Run, others: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{others}/functions.json"
    if how == "variable":
        monkeypatch.setenv("OPENFAAS_STORE", url)
    given = ("--url", url) if how == "option" else ()
    _, row = dayfly("store", "list", *given).stdout.splitlines()
    assert row.split("\t")[:2] == ["ocr     ", "unknown"]
    assert row.endswith("…")
    assert "Optical" in dayfly("store", "describe", "ocr", *given).stdout
    assert dayfly("store", "list", "--platform", "armhf", "-o", "name", *given).stdout == "pi\n"
    none = dayfly("store", "list", "--platform", "riscv", *given)
    assert (none.exit_code, "ARM64, armhf, x86_64" in none.stderr) == (66, True)
    wrong = dayfly("store", "deploy", "pi", *given)
    assert (wrong.exit_code, "for the platform x86_64" in wrong.stderr) == (66, True)


def test_a_list_that_was_fetched_before_is_read_from_its_file(dayfly: Run, home: Path) -> None:
    (home / "list.json").write_text(json.dumps(OTHERS))
    assert "Optical" in dayfly("store", "describe", "ocr", "--url", "list.json").stdout
    missing = dayfly("store", "list", "--url", "./nowhere.json")
    assert (missing.exit_code, "nowhere.json cannot be read" in missing.stderr) == (64, True)


@pytest.mark.parametrize(("path", "says"), [("/none", "is no store's list"), ("/large", "is larger than")])
def test_what_is_no_list_is_refused(dayfly: Run, others: str, path: str, says: str) -> None:
    done = dayfly("store", "list", "--url", others + path)
    assert (done.exit_code, says in done.stderr) == (64, True)


def test_deploying_sends_what_the_list_says_and_what_is_asked_beside_it(
    dayfly: Run, platform: Any, others: str
) -> None:
    done = dayfly("store", "deploy", "ocr", "--url", f"{others}/functions.json", "--platform", "arm64",
                  "--name", "reader", "--env", "B=2", "--annotation", "a=4", "--namespace", "team")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "URL: http://127.0.0.1:8080/function/reader.team\n" in done.stdout
    spec = platform.functions["team", "reader"].spec
    assert (spec.image, spec.runtime, spec.process) == ("ghcr.io/x/ocr-arm:1", "image", "python index.py")
    assert (spec.env, spec.labels, spec.annotations) == ({"A": "1", "B": "2"}, {"l": "2"}, {"a": "4"})
    assert spec.read_only_root_filesystem


def test_ours_is_deployed_by_its_image(dayfly: Run, platform: Any) -> None:
    assert dayfly("store", "deploy", "figlet", "-o", "name").stdout == "figlet\n"
    assert platform.functions["openfaas-fn", "figlet"].spec.image == "dayfly/figlet:latest"
