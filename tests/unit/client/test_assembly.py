"""The build folder: what is in it, what of the starter, and what is refused before anything is built."""

from pathlib import Path

import pytest

from dayfly.client.assembly import assemble, take_out
from dayfly.client.template_file import Recipe, Template
from dayfly.model.errors import InvalidRequest


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, **content: str) -> Path:
    for name, text in content.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def template(tmp_path: Path) -> Template:
    folder = tmp_path / "template" / "mine"
    write(folder, template_yml="", index_rb="glue", lib__a_rb="more glue")
    write(folder / "function", handler_rb="starter", Gemfile="default", extra__x_rb="default too")
    return Template(name="mine", folder=folder, runtime="http", recipe=Recipe(defaults=("Gemfile", "extra/x.rb")))


@pytest.fixture
def handler(tmp_path: Path) -> Path:
    return write(tmp_path / "hello", main_rb="mine", sub__b_rb="b", build__x="no", template__y="no", sub__build__z="z")


def test_a_template_is_put_around_the_handler(template: Template, handler: Path, tmp_path: Path) -> None:
    assemble(template, handler, (), tmp_path / "out")
    assert files(tmp_path / "out") == {
        "index.rb": "glue",
        "lib/a.rb": "more glue",
        "function/main.rb": "mine",
        "function/sub/b.rb": "b",
        "function/sub/build/z": "z",
        "function/Gemfile": "default",
        "function/extra/x.rb": "default too",
    }


def test_the_authors_own_win_over_the_templates_defaults(template: Template, handler: Path, tmp_path: Path) -> None:
    write(handler, Gemfile="own", extra__y_rb="own")
    assemble(template, handler, (), tmp_path / "out")
    found = files(tmp_path / "out" / "function")
    assert (found["Gemfile"], found["extra/x.rb"], found["extra/y.rb"]) == ("own", "default too", "own")


def test_an_image_gets_the_whole_starter_first(template: Template, handler: Path, tmp_path: Path) -> None:
    import msgspec

    template = msgspec.structs.replace(template, runtime="image", recipe=Recipe())
    assemble(template, write(handler, Gemfile="own"), (), tmp_path / "out")
    found = files(tmp_path / "out" / "function")
    assert (found["handler.rb"], found["Gemfile"], found["main.rb"]) == ("starter", "own", "mine")


def test_what_every_function_gets_lies_under_its_own_path(template: Template, handler: Path, tmp_path: Path) -> None:
    shared = write(tmp_path / "shared", data_txt="data", deep__more_txt="more")
    copies = [(shared, "shared"), (shared / "data.txt", "just/data.txt")]
    assemble(template, handler, copies, tmp_path / "out")
    found = files(tmp_path / "out" / "function")
    assert (found["shared/data.txt"], found["shared/deep/more.txt"], found["just/data.txt"]) == ("data", "more", "data")


def test_modes_are_kept_as_far_as_they_are_packed(template: Template, handler: Path, tmp_path: Path) -> None:
    (handler / "main.rb").chmod(0o700)
    assemble(template, handler, (), tmp_path / "out")
    assert (tmp_path / "out" / "function" / "main.rb").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("name", ["_env", "id__rsa"])
def test_credentials_are_refused_before_anything_is_built(
    template: Template, handler: Path, tmp_path: Path, name: str
) -> None:
    (handler / name.replace("__", "_").replace("_env", ".env")).write_text("x")
    with pytest.raises(InvalidRequest, match="credentials"):
        assemble(template, handler, (), tmp_path / "out")


def test_a_link_that_leaves_the_folder_is_refused(template: Template, handler: Path, tmp_path: Path) -> None:
    (handler / "link").symlink_to("/etc/hostname")
    with pytest.raises(InvalidRequest, match="leaves the folder"):
        assemble(template, handler, (), tmp_path / "out")


def test_a_handler_that_is_no_folder_is_refused(template: Template, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="not a folder"):
        assemble(template, tmp_path / "missing", (), tmp_path / "out")


def test_what_is_packed_is_taken_out_under_its_names(template: Template, tmp_path: Path) -> None:
    import msgspec

    recipe = Recipe(
        pack={"target/main": "handler", "absent": "absent"}, pack_if_present={"static": "public", "no": "no"}
    )
    built = write(tmp_path / "built", target__main="program", target__other="x", static__a_css="css")
    missing = take_out(msgspec.structs.replace(template, recipe=recipe), built, tmp_path / "bundle")
    assert missing == ["absent"]
    assert files(tmp_path / "bundle") == {"handler": "program", "public/a.css": "css"}


def test_all_is_packed_where_nothing_is_named(template: Template, tmp_path: Path) -> None:
    built = write(tmp_path / "built", a="1", b__c="2")
    assert take_out(template, built, tmp_path / "bundle") == []
    assert files(tmp_path / "bundle") == {"a": "1", "b/c": "2"}
