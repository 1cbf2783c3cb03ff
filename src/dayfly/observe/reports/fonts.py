"""The fonts of this machine that know letters: a PDF has letters drawn by fonts, and those that every reader of PDF has
know Western ones only.

Dayfly brings no fonts: those for all that people write are a hundred megabytes. Folders are looked through until every
letter is found, the plain face of a common family first; what no font knows is told.
"""

import itertools
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDERS = (
    "/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/Library/Fonts",
    "/System/Library/Fonts",
)  # fmt: skip
MAX_TRIED = 300
"""Files that are opened at most."""
_FAMILIES = ("dejavusans", "notosans", "liberationsans", "freesans", "arialunicode", "arial")
_STYLES = (
    "bold", "italic", "oblique", "light", "thin", "black", "medium", "condensed", "mono", "serif", "math", "color",
    "display",
)  # fmt: skip
_NEEDED = ("cmap", "head", "hhea", "hmtx", "name", "post", "OS/2")
_RESTRICTED = 2
"""What a font says of itself that may not be put into documents."""
_ALONE = ("LATIN", "GREEK", "CYRILLIC", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "ARMENIAN", "GEORGIAN")
"""Scripts whose letters stand one after the other, from left to right, as they are."""
_PLAIN = frozenset(map(chr, range(32, 127)))


class Face(NamedTuple):
    """A font's file and the letters that it knows."""

    path: Path
    letters: frozenset[str]


class Choice(NamedTuple):
    """The fonts to draw with, of which the first knows all plain letters; and letters that none knows."""

    faces: tuple[Face, ...]
    missing: frozenset[str]


def choose(letters: frozenset[str]) -> Choice:
    """Return fonts that know the letters. It reads many files, and blocks."""
    tried: list[Face] = []
    seeking = _faces()
    main = next((face for face in _noted(seeking, tried) if face.letters >= _PLAIN), None)
    if main is None:
        return Choice((), letters)
    chosen, left = [main], letters - main.letters
    for face in itertools.chain(tried, seeking):
        if not left:
            break
        if left & face.letters:
            chosen.append(face)
            left -= face.letters
    return Choice(tuple(chosen), left)


def stands_alone(letter: str) -> bool:
    """Whether a letter is drawn as it is wherever it stands; letters of other scripts are joined, or turn around."""
    return unicodedata.category(letter)[0] not in "LM" or unicodedata.name(letter, "").startswith(_ALONE)


def bold_of(path: Path) -> Path:
    """Return the bold face beside a font, itself when there is none."""
    bold = path.with_name(f"{path.stem.removesuffix('-Regular')}-Bold{path.suffix}")
    return bold if bold.is_file() else path


def _noted(faces: Iterator[Face], tried: list[Face]) -> Iterator[Face]:
    for face in faces:
        tried.append(face)
        yield face


def _faces() -> Iterator[Face]:
    for path in sorted(_files(), key=_rank)[:MAX_TRIED]:
        face = _face(path)
        if face is not None:
            yield face


def _files() -> Iterator[Path]:
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.expanduser(folder)):
            yield from (Path(where, name) for name in names if name.lower().endswith((".ttf", ".ttc", ".otf")))


def _rank(path: Path) -> tuple[int, int, str]:
    name = path.stem.lower().replace("-", "").replace("_", "")
    family = next((at for at, each in enumerate(_FAMILIES) if name.startswith(each)), len(_FAMILIES))
    return sum(style in name for style in _STYLES), family, os.fspath(path)


def _face(path: Path) -> Face | None:
    """Return what a file knows; None for one that cannot be read, or must not be used."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with path.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as font:
            if not all(table in font for table in _NEEDED) or font["OS/2"].fsType & 15 == _RESTRICTED:
                return None
            return Face(path, frozenset(map(chr, font.getBestCmap() or ())))
    except (TTLibError, OSError, ValueError, KeyError, AssertionError):
        return None  # Another program put it there, and others draw as well.
