"""Flask among a handler's packages, where its template has it and the author did not say so."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from dayfly.client.building import Source, build
from dayfly.client.requirements import with_flask
from dayfly.client.templates import find_template


@pytest.mark.parametrize(
    ("code", "given", "wanted"),
    [
        ("import flask\n", None, b"flask\n"),
        ("from flask import request\n", b"", b"flask\n"),
        ("def f():\n    import flask.json\n", b"requests", b"requests\nflask\n"),
        ("import flask\n", b"# the web\nFlask==3.0\n", None),
        ("import flask\n", b"flask[async]>=2\n", None),
        ("import flask\n", b"flask-cors\n", b"flask-cors\nflask\n"),
        ("import flasks\n", None, None),
        ("text = 'import flask'\n", None, None),
        ("# from flask import x\n", None, None),
    ],
)
def test_flask_is_added_where_it_is_imported_and_not_named(
    tmp_path: Path, code: str, given: bytes | None, wanted: bytes | None
) -> None:
    (tmp_path / "handler.py").write_text(code)
    if given is not None:
        (tmp_path / "requirements.txt").write_bytes(given)
    assert with_flask(tmp_path) == wanted


@pytest.mark.parametrize(("lang", "has"), [("python3-flask", True), ("python3-http", True), ("python3", False)])
def test_a_bundle_for_a_template_with_flask_names_it(
    tmp_path: Path, lang: str, has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "fn"
    folder.mkdir()
    (folder / "handler.py").write_text("import flask\n\n\ndef handle(req):\n    return req\n")
    bundles = [build(Source(template=find_template(lang, tmp_path), folder=folder)) for _ in range(2)]
    assert bundles[0] is not None
    assert bundles[0] == bundles[1]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(bundles[0].data))) as tar:
        assert ("requirements.txt" in tar.getnames()) is has
    assert not (folder / "requirements.txt").exists(), "the author's folder stays as it is"
