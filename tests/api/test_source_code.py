"""Source code by way of the API: what runs is read, and an edit makes a bundle and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dayfly.build.context import File
from dayfly.build.pack import pack
from dayfly.build.source import unpacked
from dayfly.model.names import NamespaceName

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

FUNCTION = "/v1/namespaces/openfaas-fn/functions/hello"
SOURCES = "/v1/namespaces/openfaas-fn/sources"
FILES = {
    "handler.py": File(b"def handle(event, context): return '<script>'"),
    "run": File(b"#!/bin/sh\n", True),
    "picture.png": File(b"\x89PNG\0\xff"),
}


async def begun(stage: Stage) -> str:
    data, digest = pack(FILES)
    stage.bundles.kept[NamespaceName("openfaas-fn"), digest] = data
    await stage.deploy(bundle=digest)
    return digest


def test_the_code_is_read_as_text_where_it_is_one(play: Play) -> None:
    async def story(stage: Stage) -> None:
        digest = await begun(stage)
        found = (await stage.ask("GET", FUNCTION + "/source")).json()
        assert (found["revision"], found["bundle"]) == (1, digest)
        assert [(file["path"], file["text"], file["executable"]) for file in found["files"]] == [
            ("handler.py", "def handle(event, context): return '<script>'", False),
            ("picture.png", None, False), ("run", "#!/bin/sh\n", True),
        ]  # fmt: skip
        assert (await stage.ask("GET", FUNCTION + "/source?revision=7")).json()["detail"] == (
            "revision: 7 of hello.openfaas-fn is not kept; these are: 1"
        )

    play(story)


def test_an_edit_makes_a_bundle_with_the_rest_as_it_was(play: Play) -> None:
    async def story(stage: Stage) -> None:
        base = await begun(stage)
        files = [{"path": "handler.py", "text": "# é"}, {"path": "run", "text": "#!/bin/dash\n"}]
        edit = {"base": base, "files": [*files, {"path": "data/a.bin", "base64": "/wA="}], "removed": ["picture.png"]}
        made = await stage.ask("POST", SOURCES, data=edit)
        assert made.status == 201
        expected = {"handler.py": File("# é".encode()), "run": File(b"#!/bin/dash\n", True)}
        found = unpacked(stage.bundles.kept[NamespaceName("openfaas-fn"), made.json()["digest"]])
        assert found == {**expected, "data/a.bin": File(b"\xff\0")}
        assert stage.plane.changes == ["deploy hello.openfaas-fn upsert"], "nothing is deployed by an edit"
        fresh = await stage.ask("POST", SOURCES, data={"files": [{"path": "handler.py", "text": "x = 1\n"}]})
        assert unpacked(stage.bundles.kept["openfaas-fn", fresh.json()["digest"]]) == {"handler.py": File(b"x = 1\n")}

    play(story)


def test_what_no_bundle_can_hold_is_refused(play: Play) -> None:
    async def story(stage: Stage) -> None:
        base = await begun(stage)
        for change, words in (
            ({"files": [{"path": "../x", "text": ""}]}, "not a plain path"),
            ({"files": [{"path": "", "text": ""}]}, "not"),
            ({"files": [{"path": "a/", "text": ""}]}, "not the path of a file"),
            ({"base": base, "files": [{"path": "run/x", "text": ""}]}, "run is a file and a folder at once"),
            ({"files": [{"path": "x", "text": "a", "base64": "YQ=="}]}, "give one of them"),
            ({"files": [{"path": "x", "base64": "*"}]}, "cannot be decoded"),
            ({"files": [{"path": "x"}, {"path": "x"}]}, "named more than once"),
            ({"base": base, "removed": ["nothing"]}, "there is no file nothing"),
            ({"base": base, "removed": list(FILES)}, "needs at least its handler"),
            ({"base": "sha256:" + "c" * 64, "files": []}, "is not here"),
        ):
            refused = await stage.ask("POST", SOURCES, data=change)
            assert refused.status in (400, 404, 422), change
            assert words in refused.json()["detail"], change

    play(story)


def test_a_function_that_is_an_image_has_no_code_here(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy(bundle="", runtime="image", image="nginx:1")
        assert (await stage.ask("GET", FUNCTION + "/source")).status == 501

    play(story)


def test_templates_to_begin_with_run_as_they_are(play: Play) -> None:
    async def story(stage: Stage) -> None:
        found = (await stage.ask("GET", "/v1/templates")).json()
        assert [each["name"] for each in found][:2] == ["python", "python-typed"]
        assert {"bash", "node", "static"} <= {each["name"] for each in found}
        assert not {"go", "java", "dockerfile"} & {each["name"] for each in found}
        for each in found:
            assert each["description"].startswith("A function") or each["name"] in ("python-flow", "static"), each[
                "name"
            ]
            assert each["needs"]
            made = await stage.ask("POST", SOURCES, data={"files": each["files"]})
            assert made.status == 201, each["name"]

    play(story)
