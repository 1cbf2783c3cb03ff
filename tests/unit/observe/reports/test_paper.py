"""A PDF has every letter: drawn by a font of the machine that knows it, or as its number and told of."""

import importlib.util
import io
from pathlib import Path
from typing import Any

import pypdf
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from dayfly.model.past_alert import PastAlert
from dayfly.model.report import ReportFigures, ReportRow, Sums
from dayfly.observe.reports import fonts, paper

PLAIN = "".join(map(chr, range(32, 127)))
CYRILLIC, ARABIC = "функция", "العربية"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder with fonts on this machine."""
    monkeypatch.setattr(fonts, "FOLDERS", (str(tmp_path), str(tmp_path / "none")))
    return tmp_path


def a_font(path: Path, letters: str, *, restricted: bool = False) -> None:
    """Make a font whose letters are all the same box."""
    pen = TTGlyphPen(None)
    for at, point in enumerate(((50, 0), (50, 700), (450, 700), (450, 0))):
        (pen.lineTo if at else pen.moveTo)(point)
    pen.closePath()
    names = {ord(letter): f"u{ord(letter):04x}" for letter in sorted(set(letters))}
    order = [".notdef", *names.values()]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(names)
    builder.setupGlyf(dict.fromkeys(order, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(order, (500, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200, fsType=2 if restricted else 0)
    builder.setupPost()
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(path)


def drawn(*texts: str, title: str = "Daily report: daily") -> tuple[str, set[str]]:
    """Return the text of a PDF with alerts that say so, and the fonts that it names."""
    nothing = ReportRow(name="all", now=Sums(), before=Sums())
    alerts = tuple(
        PastAlert(number=1, id="x", rule="r", namespace="", severity="warning", state="firing", labels={}, value=1.0,
                  text=text, fired_unix_ms=0)
        for text in texts
    )  # fmt: skip
    figures = ReportFigures(
        title=title, namespace="", zone="UTC", since_unix_ms=0, until_unix_ms=86_400_000, total=nothing, functions=(),
        alerts=alerts,
    )  # fmt: skip
    reader = pypdf.PdfReader(io.BytesIO(paper.paper(figures, (), 0)))
    named: set[str] = set()
    for page in reader.pages:
        kept: Any = page["/Resources"]
        named |= {str(font.get_object()["/BaseFont"]) for font in kept["/Font"].values()}
    text = "".join(page.extract_text() for page in reader.pages).replace("\n", " ")
    return text, {name.partition("+")[2] or name for name in named}


def joined(text: str) -> str:
    """Return a text without blanks: a number may be broken where a line ends."""
    return "".join(text.split())


def test_western_letters_need_no_font_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(letters: frozenset[str]) -> fonts.Choice:
        raise AssertionError(letters)

    monkeypatch.setattr(paper, "choose", none)
    text, named = drawn("déjà vu, ½ à 20 €".replace("€", "£"))
    assert "déjà vu, ½ à 20 £" in text
    assert named <= {"/Helvetica", "/Helvetica-Bold"}


def test_other_letters_are_drawn_by_fonts_that_know_them(folder: Path) -> None:
    a_font(folder / "truetype" / "NotoSans-Regular.ttf", PLAIN + "é" + CYRILLIC)
    a_font(folder / "truetype" / "NotoSans-Bold.ttf", PLAIN)
    a_font(folder / "cjk" / "SomeCJK.ttf", "函数失败")
    a_font(folder / "ZZZ.ttf", PLAIN + CYRILLIC)
    text, named = drawn(f"{CYRILLIC} упала", "é 函数失败 here", title=f"Daily report: {CYRILLIC}")
    assert f"Daily report: {CYRILLIC}" in text
    assert "函数失败" in text
    assert "é" in text
    # "упала" has letters that no font here knows.
    assert "у[U+043F][U+0430][U+043B][U+0430]" in joined(text)
    assert "knows[U+0430],[U+043B],[U+043F],sothesestandastheirnumbers" in joined(text)
    assert {name.partition("-")[0].removesuffix("Regular") for name in named} == {"NotoSans", "SomeCJK"}


def test_where_no_font_is_found_letters_stand_as_their_numbers(folder: Path) -> None:
    a_font(folder / "OnlyCJK.ttf", "函数")
    (folder / "broken.ttf").write_bytes(b"\0\1\0\0 is none")
    a_font(folder / "Arial.ttf", PLAIN + CYRILLIC, restricted=True)
    text, named = drawn("函 and é and 😀\u200d")
    assert "[U+51FD]andéand[U+1F600]" in joined(text)
    assert "knows[U+51FD],[U+1F600],so" in joined(text)
    assert named <= {"/Helvetica", "/Helvetica-Bold"}


def test_many_letters_that_are_not_known_are_told_in_a_line(folder: Path) -> None:
    assert list(folder.iterdir()) == []
    text, _ = drawn("".join(map(chr, range(0x4E00, 0x4E20))))
    assert "[U+4E09]and22others,sothesestand" in joined(text)
    assert "[U+4E1F]" in joined(text)


def test_what_moves_other_letters_or_is_none_is_left_out(folder: Path) -> None:
    a_font(folder / "DejaVuSans.ttf", PLAIN + CYRILLIC)
    text, _ = drawn(f"a\u202eb\x1b[31m\ud800{CYRILLIC}")
    assert f"a b [31m {CYRILLIC}" in text
    assert "No font" not in text


def test_scripts_whose_letters_are_joined_need_what_joins_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_font(folder / "DejaVuSans.ttf", PLAIN + CYRILLIC + ARABIC)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uharfbuzz" else True)
    text, _ = drawn(f"{ARABIC} {CYRILLIC}")
    assert f"[U+0627][U+0644][U+0639][U+0631][U+0628][U+064A][U+0629]{CYRILLIC}" in joined(text)


@pytest.mark.skipif(importlib.util.find_spec("uharfbuzz") is None, reason="uharfbuzz is not installed")
def test_scripts_whose_letters_are_joined_are_drawn(folder: Path) -> None:
    a_font(folder / "DejaVuSans.ttf", PLAIN + ARABIC)
    text, _ = drawn(ARABIC)
    assert sorted(ARABIC) == sorted(letter for letter in text if letter in ARABIC)
    assert "No font" not in text


def test_no_more_files_are_opened_than_may_be(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "MAX_TRIED", 2)
    for name in ("DejaVuSans", "aaa", "zzz"):
        a_font(folder / f"{name}.ttf", PLAIN + {"DejaVuSans": "", "aaa": "д", "zzz": "ж"}[name])
    choice = fonts.choose(frozenset("aдж"))
    assert [face.path.stem for face in choice.faces] == ["DejaVuSans", "aaa"]
    assert choice.missing == {"ж"}
