"""docs/reference/client.md: its snippets run, and it names all there is."""

import re
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

import dayfly.client
from dayfly.client.templates import built_in
from dayfly.model.function import FunctionSpec
from dayfly.model.status import FunctionStatus

PAGE = (Path(__file__).parents[3] / "docs/reference/client.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def answer(request: httpx2.Request) -> httpx2.Response:
    status = FunctionStatus(
        spec=FunctionSpec(name="hello"), revision=1, state="ready", desired_replicas=1, ready_replicas=1,
        created_unix_ms=0, updated_unix_ms=0, url="",
    )  # fmt: skip
    if request.url.path.startswith("/function/"):
        return httpx2.Response(200, content=b"Hello!")
    return httpx2.Response(
        200, content=msgspec.json.encode([status] if request.url.path.endswith("/functions") else status)
    )


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_snippets_run(snippet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAYFLY_URL", "OPENFAAS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DAYFLY_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello/handler.py").touch()
    (tmp_path / "stack.yaml").write_text("functions: {hello: {lang: python, handler: ./hello}}")
    monkeypatch.setattr("dayfly.client.connection.transport", lambda *_: httpx2.MockTransport(answer))
    monkeypatch.setattr("dayfly.client.connection.async_transport", lambda *_: httpx2.MockTransport(answer))
    scope: dict[str, Any] = {}
    exec(compile(snippet, "client.md", "exec"), scope)  # noqa: S102 - our own documentation


def test_the_page_names_every_method_and_language() -> None:
    assert len(SNIPPETS) == 4
    methods = [name for name in dir(dayfly.client.Client) if not name.startswith("_")]
    assert methods == [name for name in dir(dayfly.client.AsyncClient) if not name.startswith("_")]
    assert [name for name in methods if f"`{name}" not in PAGE] == []
    assert [lang for each in built_in() for lang in (each.name, *each.also) if f"`{lang}`" not in PAGE] == []
