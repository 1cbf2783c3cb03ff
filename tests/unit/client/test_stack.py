"""stack.yaml to specs: faithful where faas-cli is, with our keys, and errors that name the place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.client.stack import Stack, load_stack
from dayfly.client.stack_text import find_stack
from dayfly.client.template_file import Template
from dayfly.client.templates import built_in, find_template
from dayfly.model.errors import DayflyError, InvalidRequest, InvalidSpec
from dayfly.model.function import FunctionSpec, Resources

FULL = """\
version: 1.0
provider:
  name: openfaas
  gateway: ${GATEWAY:-http://127.0.0.1:8080}
configuration: {templates: [{name: python3}], copy: [./lib]}
functions:
  hello:
    lang: python3-http@1.2
    handler: ./hello
    image: ${USER_:-me}/hello:0.1
    namespace: team-a
    fprocess: python3 index.py
    environment:
      BOOL: true
      OCTAL: 010
      FLOAT: 1.0
      NOTHING:
      FROM: inline
    environment_file: [one.yml, two.yml]
    secrets: [api-key, api-key, db]
    labels: {com.openfaas.scale.max: 5, canary: yes}
    annotations: {topic: "a,b"}
    constraints: ["node.role == worker"]
    limits: {memory: 128Mi, cpu: 100m}
    requests: {memory: 64Mi}
    readonly_root_filesystem: true
    skip_build: false
    build_args: {X: 1}
    build_secrets: {pip: token.txt}
    some_future_key: {deep: [1]}
    timeout: 5s
    max_inflight: 4
    max_body: 1Mi
    max_log_rate: 10k
    concurrency: threads
    entrypoint: mod.sub:main
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hello").mkdir()
    (tmp_path / "token.txt").write_text("hush")
    (tmp_path / "one.yml").write_text("environment: {FROM: one, ONE: 1}\n")
    (tmp_path / "two.yml").write_text("environment:\n  FROM: two\n  TWO: ${SECRET_}\n")
    (tmp_path / "stack.yaml").write_text(FULL)
    return tmp_path


def read(folder: Path, text: str, **environ: str) -> Stack:
    (folder / "s.yaml").write_text(text)
    return load_stack(folder / "s.yaml", environ=environ)


def only(stack: Stack) -> FunctionSpec:
    (one,) = stack.functions()
    return one.spec


def test_every_field_arrives(folder: Path) -> None:
    stack = load_stack(folder / "stack.yaml", environ={"SECRET_": "s"})
    (one,) = stack.functions()
    assert (one.folder, one.namespace) == (folder / "hello", "team-a")
    assert stack.gateway == "http://127.0.0.1:8080"
    assert stack.templates == (("python3", ""),)
    assert (one.build_args, one.build_secrets) == ({"X": "1"}, {"pip": folder / "token.txt"})
    assert one.spec == FunctionSpec(
        name="hello",
        namespace="team-a",
        image="me/hello:0.1",
        lang="python3-http@1.2",
        dialect="python-flask",
        handler="mod.sub:main",
        process="python3 index.py",
        env={"BOOL": "true", "OCTAL": "010", "FLOAT": "1.0", "NOTHING": "", "FROM": "two", "ONE": "1", "TWO": "s"},
        labels={"com.openfaas.scale.max": "5", "canary": "yes"},
        annotations={"topic": "a,b"},
        secrets=("api-key", "db"),
        constraints=("node.role == worker",),
        limits=Resources("128Mi", "100m"),
        requests=Resources("64Mi"),
        timeout="5s",
        max_inflight=4,
        max_body="1Mi",
        max_log_rate="10k",
        concurrency="threads",
        read_only_root_filesystem=True,
    )


def test_envsubst_can_be_left_out(folder: Path) -> None:
    stack = load_stack(folder / "stack.yaml", environ={}, envsubst=False)
    assert only(stack).image == "${USER_:-me}/hello:0.1"
    assert only(stack).env["TWO"] == "${SECRET_}"


@pytest.mark.parametrize("template", built_in(), ids=lambda template: template.name)
def test_langs_map_to_runtimes_and_dialects(folder: Path, template: Template) -> None:
    for lang in (template.name, *template.also):
        spec = only(read(folder, f"functions: {{f: {{lang: {lang}, handler: ./hello, fprocess: cat}}}}"))
        assert (spec.runtime, spec.dialect) == (template.runtime, find_template(lang, folder).dialect)
        assert (spec.lang, spec.process) == (lang, "cat")


def test_a_language_has_a_process_and_a_function_may_have_another(folder: Path) -> None:
    assert only(read(folder, "functions: {f: {lang: bash, handler: ./hello}}")).process == "bash handler.sh"
    assert only(read(folder, "functions: {f: {lang: bash, fprocess: a b, handler: ./hello}}")).process == "a b"
    as_variable = "functions: {f: {lang: exec, handler: ./hello, environment: {fprocess: c}}}"
    assert only(read(folder, as_variable)).process == "c"


def test_the_runtime_wins_over_lang(folder: Path) -> None:
    spec = only(read(folder, "functions: {f: {lang: cobol, runtime: http, fprocess: ./serve, handler: ./hello}}"))
    assert (spec.lang, spec.runtime, spec.process) == ("cobol", "http", "./serve")
    spec = only(read(folder, "functions: {f: {lang: python, runtime: exec, fprocess: cat, handler: ./hello}}"))
    assert (spec.lang, spec.runtime) == ("python", "exec")
    assert only(read(folder, "functions: {f: {runtime: static, handler: ./hello}}")).lang == "static"


def test_dialect_wins_over_lang(folder: Path) -> None:
    spec = only(read(folder, "functions: {f: {lang: node20, dialect: wsgi, handler: ./hello}}"))
    assert (spec.lang, spec.dialect) == ("node20", "wsgi")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("- a", "must be a mapping"),
        ("functions: []\nversion: 2.0", "version"),
        ("provider: {name: other}", "provider.name"),
        ("functions: [a]", "functions: must be a mapping"),
        ("functions: {f: text}", "functions.f: must be a mapping"),
        ("functions: {f: {lang: python}}", "functions.f.handler: is missing"),
        ("functions: {f: {lang: cobol, handler: x}}", "functions.f: lang: 'cobol'"),
        ("functions: {f: {runtime: exec, handler: x}}", "functions.f: process: the runtime exec needs a program"),
        ("functions: {f: {lang: http, handler: x, fprocess: y, environment: {PORT: a}}}", "functions.f: env: PORT"),
        ("functions: {f: {runtime: cgi, handler: x}}", "functions.f.runtime: 'cgi'"),
        ("functions: {f: {handler: [x]}}", "functions.f.handler: must be text"),
        ("functions: {f: {handler: x, environment: [a]}}", "functions.f.environment"),
        ("functions: {f: {handler: x, environment: {a: [b]}}}", "functions.f.environment.a"),
        ("functions: {f: {handler: x, environment: {LD_PRELOAD: b}}}", "functions.f: env: LD_PRELOAD"),
        ("functions: {f: {handler: x, secrets: {a: b}}}", "functions.f.secrets"),
        ("functions: {f: {handler: x, secrets: [[a]]}}", "functions.f.secrets"),
        ("functions: {f: {handler: x, limits: {memory: lots}}}", "functions.f: 'lots'"),
        ("functions: {f: {handler: x, readonly_root_filesystem: maybe}}", "functions.f.readonly_root_filesystem"),
        ("functions: {f: {handler: x, max_inflight: many}}", "functions.f.max_inflight"),
        ("functions: {f: {handler: x, concurrency: some}}", "functions.f.concurrency"),
        ("functions: {f: {handler: x, dialect: some}}", "functions.f.dialect"),
        ("functions: {f: {handler: x, timeout: 25h}}", "functions.f: timeout"),
        ("functions: {Up_per: {handler: x}}", "functions.Up_per: 'Up_per' is not a function name"),
        ("functions: {f: {handler: x, environment_file: [gone.yml]}}", "gone.yml cannot be read"),
        ("functions: {f: {handler: x}, f: {handler: y}}", "the key 'f' is there twice"),
        ("image: ${oops", "line 1"),
    ],
)
def test_errors_name_file_function_and_field(folder: Path, text: str, named: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        list(read(folder, text).functions())
    assert named in str(caught.value)
    assert ".y" in str(caught.value)


def test_a_missing_environment_file_is_not_taken_for_the_stack_file(folder: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        list(read(folder, "functions: {f: {handler: x, environment_file: [gone.yml]}}").functions())
    assert "environment_file" in caught.value.hint


def test_only_functions_that_are_meant_have_to_be_right(folder: Path) -> None:
    stack = read(folder, "functions: {good: {handler: ./hello}, bad: {lang: cobol, handler: x}}")
    assert [one.spec.name for one in stack.functions(glob="go*")] == ["good"]
    with pytest.raises(InvalidSpec):
        list(stack.functions())


def test_paths_are_the_files_own_else_the_working_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = folder / "elsewhere"
    (elsewhere / "there").mkdir(parents=True)
    (elsewhere / "hello").mkdir()
    monkeypatch.chdir(elsewhere)
    stack = read(folder, "functions: {a: {handler: ./hello}, b: {handler: there}, c: {handler: nowhere}}")
    assert [one.folder for one in stack.functions()] == [folder / "hello", Path("there"), folder / "nowhere"]


def test_what_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(InvalidRequest, match="no functions matching --filter/--regex were found in the YAML file"):
        list(load_stack(folder / "stack.yaml", environ={}).functions(glob="x*"))


def test_find_stack_prefers_yaml(tmp_path: Path) -> None:
    assert find_stack(tmp_path) is None
    (tmp_path / "stack.yml").touch()
    assert find_stack(tmp_path) == tmp_path / "stack.yml"
    (tmp_path / "stack.yaml").touch()
    assert find_stack(tmp_path) == tmp_path / "stack.yaml"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: " + b"x" * 2**20, b"\xef\xbb\xbf- x"])
def test_files_that_are_no_stack_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.yaml").write_bytes(content)
    with pytest.raises(InvalidSpec):
        load_stack(tmp_path / "s.yaml", environ={})


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        load_stack(tmp_path / "gone.yaml")


KEYS = st.sampled_from(
    ["lang", "handler", "image", "environment", "labels", "limits", "secrets", "timeout", "x", "dialect"]
)
VALUES = st.recursive(
    st.sampled_from(["python", "./h", "", "~", "5s", "128Mi", "${A}", "*a", "&a b", "[", "'"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(KEYS, inner, max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_function_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, fields: dict[str, str]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text("functions:\n  f:\n" + "".join(f"    {key}: {value}\n" for key, value in fields.items()))
    try:
        for one in load_stack(path, environ={}).functions():
            one.spec.check()
    except DayflyError:
        pass


def test_a_language_brings_its_runtime_process_and_variables(folder: Path) -> None:
    stack = read(
        folder,
        """
functions:
  go: {lang: golang-middleware, handler: ./hello, build_args: {GOFLAGS: -mod=vendor}, build_options: [dev]}
  shell: {lang: bash-streaming, handler: ./hello}
  other: {lang: exec, handler: ./hello, fprocess: cat -n}
  site: {lang: static, handler: ./hello}
  image: {lang: dockerfile, handler: ./hello}
""",
    )
    go, image, other, shell, site = sorted(stack.functions(), key=lambda one: one.spec.name)
    assert (go.spec.lang, go.spec.runtime, go.spec.process) == ("golang-middleware", "http", "./handler")
    assert (go.source.build_args, go.source.build_options) == ({"GOFLAGS": "-mod=vendor"}, ("dev",))
    assert (shell.spec.runtime, shell.spec.env) == ("exec", {"mode": "streaming"})
    assert (other.spec.runtime, other.spec.process) == ("exec", "cat -n")
    assert (site.spec.runtime, site.spec.process, site.spec.image) == ("static", "", "")
    assert (image.spec.runtime, image.spec.image, image.has_image) == ("image", "image:latest", False)


def test_templates_are_looked_for_beside_the_stack_file_then_here(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    text = "functions: {f: {lang: mine, handler: ./hello}}"
    with pytest.raises(InvalidSpec, match=r"s\.yaml: functions\.f: lang: 'mine' is no template"):
        list(read(folder, text).functions())
    for place in (here, folder):
        (place / "template" / "mine").mkdir(parents=True)
        (place / "template" / "mine" / "template.yml").write_text(f"fprocess: ./{place.name}\ndayfly: {{needs: x}}\n")
        assert only(read(folder, text)).process == f"./{place.name}"


def test_paths_to_copy_go_below_the_handler(folder: Path) -> None:
    text = "configuration: {copy: [./lib, data/x.txt]}\nfunctions: {f: {lang: python, handler: ./hello}}"
    (folder / "lib").mkdir()
    (one,) = read(folder, text).functions()
    assert one.source.copies == ((folder / "lib", "lib"), (folder / "data" / "x.txt", "data/x.txt"))
    assert not one.source.is_plain


@pytest.mark.parametrize("path", ["/etc", "../x", ".", "lib/../../x"])
def test_paths_to_copy_stay_in_the_project(folder: Path, path: str) -> None:
    text = f"configuration: {{copy: [{path}]}}\nfunctions: {{f: {{lang: python, handler: ./hello}}}}"
    with pytest.raises(InvalidSpec, match=r"configuration\.copy"):
        list(read(folder, text).functions())


def test_a_function_with_an_image_and_no_code_is_that_image(folder: Path) -> None:
    (one,) = read(folder, "functions: {f: {image: 'ghcr.io/x/y:1', fprocess: cat, annotations: {a: b}}}").functions()
    assert (one.has_image, one.spec.runtime, one.spec.image) == (True, "image", "ghcr.io/x/y:1")
    assert (one.spec.lang, one.spec.process, one.spec.annotations) == ("dockerfile", "cat", {"a": "b"})
    (named,) = read(folder, "functions: {f: {image: x, lang: python3-http}}").functions()
    assert (named.spec.runtime, named.spec.lang, named.has_image) == ("image", "python3-http", True)
    (built,) = read(folder, "functions: {f: {image: x, runtime: image, handler: ./hello}}").functions()
    assert (built.spec.runtime, built.has_image) == ("image", False)
    (code,) = read(folder, "functions: {f: {image: x, lang: python, handler: ./hello}}").functions()
    assert (code.spec.runtime, code.has_image) == ("python", False)


def test_a_function_with_neither_code_nor_image_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidSpec, match=r"functions\.f\.handler: is missing"):
        list(read(folder, "functions: {f: {lang: python}}").functions())
