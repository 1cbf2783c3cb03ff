"""Starters and compilers, language by language.

What `dayfly new` writes passes its own test, the same source is the same function wherever it is built, and an error of
a compiler reaches its author.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.system.driver import program

from dayfly.client.building import Source, build, is_there
from dayfly.client.template_file import Template
from dayfly.client.templates import built_in, find_template
from dayfly.model.errors import BuildFailed

HERE = Path(__file__).parent
OWN_TESTS = {
    "go": ["go", "test"],
    "rust": ["cargo", "test", "--quiet", "--offline"],
    "node": ["node", "--test"],
    "php": ["php", "HandlerTest.php"],
    "ruby": ["ruby", "handler_test.rb"],
    "bash": ["bash", "handler_test.sh"],
}
"""How the authors of other languages than Python try what they begin with."""
MISTAKES = {
    "go": ("handler.go", "package function\n\nfunc Handle( {\n", "./handler.go:3"),
    "rust": ("src/lib.rs", "pub fn handle(request: dayfly::Request) -> u8 { 1 + }\n", "function/src/lib.rs:1"),
    "java": (
        "src/main/java/com/openfaas/function/Handler.java",
        "package com.openfaas.function;\npublic class Handler {\n  int x = ;\n}\n",
        "Handler.java:3",
    ),
}
"""A file with a mistake in it, and where the compiler says it is."""
COMPILED = sorted(template.name for template in built_in() if template.recipe.steps)


def there(lang: str) -> Template:
    """Return a language's template; skip the test where it is not there."""
    template = find_template(lang, HERE)
    if not is_there(template):
        pytest.skip(f"left out: {lang} functions, which need {template.needs}")
    return template


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds are kept apart from the account's own; what a compiler keeps of its standard library is not."""
    if shutil.which("go"):
        kept = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
        monkeypatch.setenv("GOCACHE", kept)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_every_compiled_language_has_a_mistake_here() -> None:
    assert sorted(MISTAKES) == COMPILED


@pytest.mark.parametrize("lang", sorted(OWN_TESTS))
def test_a_new_function_passes_its_own_test(tmp_path: Path, lang: str) -> None:
    there(lang)
    subprocess.run(program("new", "hello", "--lang", lang), cwd=tmp_path, check=True, capture_output=True, timeout=120)
    done = subprocess.run(OWN_TESTS[lang], cwd=tmp_path / "hello", capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("lang", COMPILED)
@pytest.mark.usefixtures("caches")
def test_the_same_source_is_the_same_function_wherever_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    template = there(lang)
    made = []
    for place in ("one", "another/much/deeper"):
        folder = tmp_path / place / "hello"
        shutil.copytree(template.starter, folder)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / place / "cache"))
        made.append(build(Source(template=template, folder=folder)))
    assert made[0] is not None
    assert made[0] == made[1]


@pytest.mark.parametrize("lang", COMPILED)
@pytest.mark.usefixtures("caches")
def test_a_compilers_error_reaches_its_author(tmp_path: Path, lang: str) -> None:
    template = there(lang)
    file, text, where = MISTAKES[lang]
    shutil.copytree(template.starter, tmp_path / "hello")
    (tmp_path / "hello" / file).write_text(text)
    with pytest.raises(BuildFailed, match="ended with exit code") as caught:
        build(Source(template=template, folder=tmp_path / "hello"))
    assert where in str(caught.value)


@pytest.mark.usefixtures("caches")
def test_go_takes_its_modules_from_a_vendor_folder(tmp_path: Path) -> None:
    template = there("go")
    folder = tmp_path / "hello"
    vendored = folder / "vendor" / "example.com" / "greeting"
    vendored.mkdir(parents=True)
    (vendored / "greeting.go").write_text('package greeting\n\nconst Text = "from a vendored module"\n')
    (folder / "vendor" / "modules.txt").write_text(
        "# example.com/greeting v1.0.0\n## explicit; go 1.19\nexample.com/greeting\n"
    )
    (folder / "go.mod").write_text("module handler/function\n\ngo 1.19\n\nrequire example.com/greeting v1.0.0\n")
    (folder / "static").mkdir()
    (folder / "static" / "page.html").write_text("page")
    (folder / "handler.go").write_text(
        'package function\n\nimport (\n\t"net/http"\n\n\t"example.com/greeting"\n)\n\n'
        "func Handle(w http.ResponseWriter, r *http.Request) {\n\tw.Write([]byte(greeting.Text))\n}\n"
    )
    bundle = build(Source(template=template, folder=folder))
    assert bundle is not None
    assert names(bundle.data) == ["handler", "static", "static/page.html"]


@pytest.mark.usefixtures("caches")
def test_rust_takes_its_crates_from_a_vendor_folder(tmp_path: Path) -> None:
    template = there("rust")
    folder = tmp_path / "hello"
    shutil.copytree(template.starter, folder)
    crate = folder / "vendor" / "greeting"
    (crate / "src").mkdir(parents=True)
    (crate / "Cargo.toml").write_text('[package]\nname = "greeting"\nversion = "1.0.0"\nedition = "2021"\n')
    (crate / "src" / "lib.rs").write_text('pub const TEXT: &str = "from a vendored crate";\n')
    (crate / ".cargo-checksum.json").write_text('{"files":{}}')
    (folder / ".cargo").mkdir()
    (folder / ".cargo" / "config.toml").write_text(
        '[source.crates-io]\nreplace-with = "vendored-sources"\n\n[source.vendored-sources]\ndirectory = "vendor"\n'
    )
    with (folder / "Cargo.toml").open("a") as manifest:
        manifest.write('greeting = "1"\n')
    (folder / "src" / "lib.rs").write_text(
        "pub fn handle(_: Vec<u8>) -> Result<Vec<u8>, String> { Ok(greeting::TEXT.into()) }\n"
    )
    assert build(Source(template=template, folder=folder)) is not None


@pytest.mark.usefixtures("caches")
def test_java_takes_its_libraries_and_resources_along(tmp_path: Path) -> None:
    template = there("java")
    folder = tmp_path / "hello"
    shutil.copytree(template.starter, folder)
    (tmp_path / "Greeting.java").write_text('package lib; public class Greeting { public static String text = "hi"; }')
    (folder / "lib").mkdir()
    subprocess.run(["javac", "-d", ".", "Greeting.java"], cwd=tmp_path, check=True, timeout=120)
    subprocess.run(["jar", "cf", "hello/lib/greeting.jar", "lib"], cwd=tmp_path, check=True, timeout=120)
    (folder / "src" / "main" / "resources").mkdir()
    (folder / "src" / "main" / "resources" / "a.txt").write_text("a")
    handler = folder / MISTAKES["java"][0]
    handler.write_text(handler.read_text().replace('"Hello, "', "lib.Greeting.text"))
    bundle = build(Source(template=template, folder=folder))
    assert bundle is not None
    assert {"run", "lib/greeting.jar", "resources/a.txt", "classes/com/openfaas/function/Handler.class"} <= set(
        names(bundle.data)
    )


def names(data: bytes) -> list[str]:
    """Return what is in a bundle."""
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()
