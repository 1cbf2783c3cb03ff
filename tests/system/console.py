"""What people do on the console's page, in words of theirs: sign in, open a function, write, call it."""

import base64
import io
import itertools
import os
import re
from typing import cast

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Locator, Page, expect
from tests.system.driver import ROOT

PASSWORD = "a word to pass by, dit à côté ☂"
"""Beyond ASCII, as people have it."""
ADMIN = {"Authorization": "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()}
IS_AT = "element => element === element.getRootNode().activeElement"
"""Also where it is in an editor, which has a tree of its own."""
OUTLINED = """element => {
    const { outlineStyle, outlineWidth } = getComputedStyle(element.closest(".cm-editor") ?? element);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
}"""
SHOWN, DRAWN = ROOT / "docs/page", ROOT / "build/page"
IS_SHOWN = bool(os.environ.get("DAYFLY_TEST_SHOTS"))
"""Whether the pictures that are taken are to be the documentation's from now on."""
PLACE = "Description"
"""Under which word a picture says what it is of."""
IDS = re.compile("\\b(?:[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-z]{16})\\b")
"""Of calls, and of runs."""
AREAS, LINES = 40, 24
"""How many colours a picture has, few for a small file: its most frequent ones as they are, and for thin lines some
that are far from each other."""


def sign_in(page: Page, password: str = PASSWORD) -> None:
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def go(page: Page, section: str, tab: str = "") -> None:
    """Go to a section of the page, and to a tab of it."""
    page.get_by_label("Main").get_by_role("link", name=section, exact=True).click()
    page.get_by_role("heading", name=section, level=1).wait_for()
    if tab:
        page.get_by_label(section, exact=True).get_by_role("link", name=tab).click()


def row(page: Page | Locator, name: str | re.Pattern[str]) -> Locator:
    return page.get_by_role("row").filter(has_text=name)


def open_function(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def invoke(page: Page, body: str = "", *, path: str = "/", kind: str = "Text") -> Locator:
    """Fill the form in, send it, and return where the answer is shown."""
    page.get_by_label("Path").fill(path)
    page.get_by_role("radio", name=kind, exact=True).and_(page.locator("[value=text], [value=json]")).first.check()
    page.get_by_role("textbox", name="Body").fill(body)
    before = page.get_by_label("Last tries").get_by_role("listitem").count()
    page.get_by_role("button", name="Invoke").click()
    expect(page.get_by_label("Last tries").get_by_role("listitem")).to_have_count(before + 1)
    return page.get_by_role("region", name="Answer")


def write(page: Page, path: str, text: str) -> None:
    """Have the editor hold this text in this file, as if it was pasted."""
    editor = page.get_by_role("textbox", name=path, exact=True)
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)
    expect(editor).to_contain_text(text.strip().splitlines()[-1].strip())


def shot(page: Page, name: str) -> None:
    """Take the picture that the documentation shows under this name; the one it has must be of the same place.

    It goes to build/page, and to docs/page where it is to be shown from now on.
    """
    page.mouse.move(0, 0)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    if IS_SHOWN:
        page.wait_for_timeout(300)  # colours change within a tenth of a second, and a picture is no assertion
    taken, place = Image.open(io.BytesIO(page.screenshot())).convert("RGB"), PngInfo()
    place.add_text(PLACE, place_of(page))
    DRAWN.mkdir(parents=True, exist_ok=True)
    taken.save(DRAWN / f"{name}.png", compress_level=1, pnginfo=place)
    if IS_SHOWN:
        few_colours(taken).save(SHOWN / f"{name}.png", optimize=True, pnginfo=place)
    with Image.open(SHOWN / f"{name}.png") as shown:
        assert (shown.info.get(PLACE), shown.width) == (place_of(page), taken.width), f"`make shots` takes {name} anew"


def place_of(page: Page) -> str:
    """Where the page is, but for ids, and what stands above it: of a dialog, that one's."""
    title = page.locator("dialog[open] h2, h1").last.inner_text()
    return IDS.sub("ID", f"{page.url.partition('#/')[2]}: {title}")


def few_colours(picture: Image.Image) -> Image.Image:
    found = cast("list[tuple[int, tuple[int, int, int]]]", picture.getcolors(picture.width * picture.height))
    areas = [colour for _, colour in sorted(found, reverse=True)[:AREAS]]
    lines = picture.quantize(LINES, Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*itertools.chain.from_iterable(areas), *lines[: 3 * LINES]])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the element has the focus, which must be seen."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if wanted.evaluate(IS_AT):
            assert wanted.evaluate("element => element.matches(':focus-visible')")
            assert wanted.evaluate(OUTLINED), "where the keyboard is must be seen"
            return
    raise AssertionError(f"Tab does not lead to {wanted}")
