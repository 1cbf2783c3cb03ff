"""The console's source and what was built from it: in step, lean, and with no way for a text to become a page."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dayfly.model.direct import OUR_PREFIXES, OURS

ROOT = Path(__file__).resolve().parent.parent.parent
UI = ROOT / "ui"
BUILT = ROOT / "src/dayfly/web/static"
FIRST_LOAD_BYTES = 250 * 1024
SOURCES = [path for path in (UI / "src").rglob("*") if path.suffix in (".svelte", ".ts")]


def test_a_replay_leaves_out_the_headers_that_the_platform_writes_anew() -> None:
    """The platform refuses them in what somebody changed, and each recorded call has some."""
    text = (UI / "src/state/replayed.ts").read_text()
    names, prefixes = (set(re.findall('"([a-z-]+)"', each)) for each in re.findall(r"= \[([^\]]*)\];", text))
    assert names == {*OURS, "idempotency-key"}
    assert prefixes == set(OUR_PREFIXES)


def test_its_types_are_those_of_the_api() -> None:
    run = [sys.executable, str(ROOT / "scripts/ui_types.py")]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout == (UI / "src/api/schema.ts").read_text(), "run scripts/ui_types.py as it says"


def test_the_lock_holds_versions_and_hashes_and_nothing_else() -> None:
    packages = json.loads((UI / "package-lock.json").read_text())["packages"]
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-"), name
    wanted = json.loads((UI / "package.json").read_text())
    editor = {name for name in wanted["devDependencies"] if name.startswith(("@codemirror/", "@lezer/", "codemirror"))}
    assert set(wanted["devDependencies"]) - editor == {
        "@sveltejs/vite-plugin-svelte", "axe-core", "svelte", "svelte-check", "typescript", "uplot", "vite",
    }  # fmt: skip
    assert "dependencies" not in wanted
    assert all(re.fullmatch(r"[0-9.]+", version) for version in wanted["devDependencies"].values())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(UI)))
def test_no_text_becomes_a_page(path: Path) -> None:
    """Neither by the framework's own door nor by the browser's, and no style that the policy would refuse."""
    doors = r"\{@html|innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function\(|srcdoc|iframe|\bstyle="
    assert re.findall(doors, path.read_text()) == []


def test_what_scrolls_by_itself_is_reached_by_the_keyboard_and_nothing_jumps_the_queue() -> None:
    """A text that is wider than its box can be scrolled by whoever has no mouse, and says what it is."""
    text = "\n".join(path.read_text() for path in SOURCES)
    boxes = re.findall(r"<pre[^>]*>", text)
    assert len(boxes) > 8
    assert [box for box in boxes if 'tabindex="0"' not in box or "aria-label=" not in box] == []
    assert re.findall(r'tabindex="[1-9]', text) == []


def test_nothing_of_it_knows_another_host() -> None:
    text = "\n".join(path.read_text() for path in SOURCES)
    assert re.findall(r"https?://|wss?://|//[a-z0-9-]+\.[a-z]", text) == []


def test_the_first_load_is_small() -> None:
    """The page, its style, its script and what that cannot begin without; all else is fetched where it is needed."""
    built = contents(BUILT)
    first, waiting = {"console.css", "console.html"}, ["console.js"]
    while waiting:
        name = waiting.pop()
        first.add(name)
        wanted = re.findall(rb"""(?:from|import)\s*["']\./([^"']+)["']""", built[name])
        waiting += [each for each in map(bytes.decode, wanted) if each not in first]
    assert len(first) > 3
    assert all(
        re.fullmatch(r"console-[A-Za-z0-9.]+\.js", name)
        for name in set(built) - {"console.css", "console.html", "console.js"}
    )
    assert sum(len(gzip.compress(built[name])) for name in first) < FIRST_LOAD_BYTES


def test_neither_charts_nor_the_editor_are_in_the_first_load() -> None:
    script = (BUILT / "console.js").read_text()
    assert "uplot" not in script
    assert "cm-content" not in script


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
