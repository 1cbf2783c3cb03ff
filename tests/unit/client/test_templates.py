"""templates: which one a `lang` means, what its template.yml may say, and that ours are in order."""

import re
from pathlib import Path
from typing import get_args

import pytest

from dayfly.client.bundle import pack
from dayfly.client.template_file import Glob, Template
from dayfly.client.templates import BUILT_IN, built_in, find_template, plain_template, templates
from dayfly.model.errors import InvalidSpec
from dayfly.model.runtime import RUN_A_PROCESS, Runtime

NATIVE = "dayfly:\n  runtime: http\n"


def add(project: Path, name: str, text: str | None = None, **files: str) -> Path:
    """Put a template into a project."""
    folder = project / "template" / name
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "template.yml").write_text(text)
    for file, content in files.items():
        (folder / file).write_text(content)
    return folder


@pytest.mark.parametrize("template", built_in(), ids=lambda template: template.name)
def test_ours_are_in_order(template: Template) -> None:
    assert (BUILT_IN / template.name).is_dir()
    assert template.needs
    assert template.welcome.strip().endswith(".")
    assert all(len(line) <= 120 for line in template.welcome.splitlines())
    assert bool(template.process) == (template.runtime in RUN_A_PROCESS)
    assert set(template.recipe.defaults) <= {
        path.relative_to(template.starter).as_posix() for path in template.starter.rglob("*")
    }
    pack(template.starter)
    if template.recipe.steps:
        assert template.check
        assert "apt-get install" in template.needs


def test_ours_are_those_that_the_project_promises() -> None:
    wanted = {"python", "python-classic", "python-typed", "asgi", "wsgi", "node", "bash", "go", "rust", "java", "php"}
    wanted |= {"python-flow", "ruby", "dockerfile", "static", "exec", "http", "bash-streaming"}
    assert {template.name for template in built_in()} == wanted


@pytest.mark.parametrize("template", built_in(), ids=lambda template: template.name)
def test_the_page_tells_of_every_one(template: Template) -> None:
    page = (Path(__file__).parents[3] / "docs" / "templates.md").read_text()
    assert re.search(rf"^    - {template.name} +[✓—]  {re.escape(template.needs)}$", page, re.MULTILINE)
    assert f"`{template.name}`" in page


def test_no_two_of_ours_go_by_one_name() -> None:
    names = [name for template in built_in() for name in (template.name, *template.also)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("lang", "dialect"),
    [
        ("", "auto"),
        ("python", "auto"),
        ("python3-http", "python-flask"),
        ("python3-http-debian@1", "python-flask"),
        ("python-classic", "python-classic"),
        ("python3", "python-classic"),
        ("python3-debian", "python-classic"),
        ("python3-flask", "python-flask"),
        ("python3-flask-debian", "python-flask"),
        ("python-typed", "python-typed"),
        ("asgi", "asgi"),
        ("wsgi", "wsgi"),
    ],
)
def test_a_name_of_python_says_how_the_handler_is_called(tmp_path: Path, lang: str, dialect: str) -> None:
    template = find_template(lang, tmp_path)
    assert (template.runtime, template.dialect) == ("python", dialect)


@pytest.mark.parametrize("runtime", get_args(Runtime))
def test_every_runtime_has_a_template_that_puts_nothing_around_a_handler(runtime: Runtime) -> None:
    template = plain_template(runtime)
    assert (template.runtime, template.packs_handler, template.process) == (runtime, True, "")


@pytest.mark.parametrize(
    ("lang", "name"),
    [
        ("", "python"),
        ("go", "go"),
        ("golang-middleware", "go"),
        ("golang-middleware@1.2", "go"),
        ("node20", "node"),
        ("bash-streaming", "bash-streaming"),
        ("java11", "java"),
        ("php8", "php"),
        ("ruby-http", "ruby"),
        ("python3-http", "python"),
    ],
)
def test_names_of_openfaas_are_found(tmp_path: Path, lang: str, name: str) -> None:
    assert find_template(lang, tmp_path).name == name


def test_a_projects_own_template_wins_if_it_says_how_it_runs(tmp_path: Path) -> None:
    add(tmp_path, "go", f"fprocess: ./own\n{NATIVE}")
    assert find_template("go", tmp_path).process == "./own"
    assert find_template("go@ref", tmp_path).process == "./own"
    assert find_template("golang-middleware", tmp_path).process == "./handler"


def test_ours_take_the_place_of_one_that_was_made_for_an_engine(tmp_path: Path) -> None:
    add(tmp_path, "golang-middleware", "language: golang-middleware\nfprocess: ./handler\n", Dockerfile="FROM x\n")
    assert find_template("golang-middleware", tmp_path).name == "go"


@pytest.mark.parametrize("text", ["language: cobol\nwelcome_message: Hello\nfprocess: ./x\n", None])
def test_where_ours_have_none_of_its_name_its_dockerfile_is_built(tmp_path: Path, text: str | None) -> None:
    folder = add(tmp_path, "cobol", text, Dockerfile="FROM x\n")
    template = find_template("cobol", tmp_path)
    assert (template.runtime, template.folder, template.packs_handler) == ("image", folder, False)
    assert template.welcome == ("Hello" if text else "")


@pytest.mark.parametrize("lang", ["nothing", "../go", "a/b", ".hidden", "a b", "@ref!", "x" * 64])
def test_what_is_no_template_is_refused_by_name(tmp_path: Path, lang: str) -> None:
    (tmp_path / "template").mkdir()
    (tmp_path / "go").mkdir()
    (tmp_path / "go" / "template.yml").write_text(NATIVE)
    if lang == "@ref!":
        assert find_template(lang, tmp_path).name == "python"
        return
    with pytest.raises(InvalidSpec, match="lang"):
        find_template(lang, tmp_path)


def none_is_bad(bad: InvalidSpec) -> None:
    raise bad


def test_one_that_is_no_good_is_named_and_the_others_are_listed(tmp_path: Path) -> None:
    add(tmp_path, "bad", "dayfly: {runtime: perpetual}\n")
    add(tmp_path, "own", NATIVE)
    told: list[str] = []
    found = [each.name for each in templates(tmp_path, lambda bad: told.append(bad.message))]
    assert found == sorted({template.name for template in built_in()} | {"own"})
    assert ["template/bad/template.yml" in text for text in told] == [True]


def test_one_that_can_be_neither_run_nor_built_is_told_and_leaves_the_others(tmp_path: Path) -> None:
    add(tmp_path, "half", "language: half\nfprocess: cat\n")
    add(tmp_path, "own", NATIVE)
    with pytest.raises(InvalidSpec, match=r"template/half can be neither run nor built.*no Dockerfile") as caught:
        find_template("half", tmp_path)
    assert "own" in caught.value.hint
    assert [each.name for each in templates(tmp_path, none_is_bad) if each.folder.is_relative_to(tmp_path)] == ["own"]


def test_all_are_listed_once_the_projects_own_among_them(tmp_path: Path) -> None:
    add(tmp_path, "go", NATIVE)
    add(tmp_path, "mine", NATIVE)
    add(tmp_path, "golang-middleware", "language: x\n", Dockerfile="FROM x\n")
    (tmp_path / "template" / "not-one").mkdir()
    (tmp_path / "template" / "file").touch()
    found = templates(tmp_path, none_is_bad)
    assert [template.name for template in found] == sorted({template.name for template in built_in()} | {"mine"})
    assert next(template.folder for template in found if template.name == "go") == tmp_path / "template" / "go"


def test_a_template_is_read_whole(tmp_path: Path) -> None:
    add(
        tmp_path,
        "mine",
        """
language: mine
fprocess: ./theirs
handler_folder: src/code
welcome_message: Hello
build_options:
  - name: dev
    packages: [make, gcc]
dayfly:
  runtime: exec
  process: ./ours
  needs: a compiler
  check: [cc, --version]
  also: other
  environment: {mode: streaming}
  build:
    - [cc, -o, out, glob: "src/**/*.c"]
    - [strip, out]
  build_directory: src
  build_environment: {CFLAGS: -O2}
  build_timeout: 90s
  defaults: [Makefile]
  pack: {out: program, lib: }
  pack_if_present: {data: data}
""",
    )
    template = find_template("mine", tmp_path)
    assert (template.process, template.handler_folder, template.also) == ("./ours", "src/code", ("other",))
    assert template.starter == tmp_path / "template" / "mine" / "src" / "code"
    assert template.build_options == {"dev": ("make", "gcc")}
    assert template.environment == {"mode": "streaming"}
    recipe = template.recipe
    assert recipe.steps == (("cc", "-o", "out", Glob("src/**/*.c")), ("strip", "out"))
    assert (recipe.directory, recipe.environment, recipe.timeout_s) == ("src", {"CFLAGS": "-O2"}, 90)
    assert (recipe.defaults, recipe.pack) == (("Makefile",), {"out": "program", "lib": "lib"})
    assert recipe.pack_if_present == {"data": "data"}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("dayfly: {runtime: perl}", "dayfly.runtime"),
        ("dayfly: {build: make}", "dayfly.build"),
        ("dayfly: {build: [make]}", "dayfly.build"),
        ("dayfly: {build: [[]]}", "dayfly.build"),
        ("dayfly: {build: [[{glob: x}]]}", "dayfly.build"),
        ("dayfly: {build: [[cc, {files: x}]]}", "dayfly.build"),
        ("dayfly: {build: [[cc, {glob: ../*}]]}", "dayfly.build"),
        ("dayfly: {build_directory: /etc}", "dayfly.build_directory"),
        ("dayfly: {build_timeout: soon}", "dayfly.build_timeout"),
        ("dayfly: {pack: {../x: y}}", "dayfly.pack"),
        ("dayfly: {pack: {x: /y}}", "dayfly.pack"),
        ("dayfly: {defaults: [../x]}", "dayfly.defaults"),
        ("handler_folder: ../x\ndayfly: {runtime: http}", "handler_folder"),
        ("build_options: x\ndayfly: {runtime: http}", "build_options"),
        ("dayfly: [", "line"),
        ("x" * 70_000, "larger"),
    ],
)
def test_what_cannot_be_is_refused_with_file_and_field(tmp_path: Path, text: str, where: str) -> None:
    folder = add(tmp_path, "mine", text)
    with pytest.raises(InvalidSpec) as caught:
        find_template("mine", tmp_path)
    assert str(folder / "template.yml") in str(caught.value)
    assert where in str(caught.value)
