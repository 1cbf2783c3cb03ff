"""A page of what is in a bucket, as ListObjectsV2 answers (AWS, "ListObjectsV2").

The answer comes from somebody else's server: it has a bounded size, and declarations of a document's type, with which a
few bytes can be made to mean gigabytes, are refused.
"""

from urllib.parse import unquote_plus
from xml.parsers import expat

import msgspec

MAX_PAGE_BYTES = 8 * 2**20
"""More than a thousand of the longest keys take."""


class Unreadable(Exception):
    """It is no such answer; the text says why."""


class Listed(msgspec.Struct, frozen=True):
    """An object as it was listed."""

    key: str
    etag: str
    modified: str
    size: int

    @property
    def mark(self) -> str:
        """What changes when the object does."""
        return f"{self.etag} {self.modified}"


class Page(msgspec.Struct, frozen=True):
    """Objects in the order of their keys."""

    objects: tuple[Listed, ...]
    next: str
    """What to ask for the next page with; empty after the last."""


def page_of(body: bytes) -> Page:
    """Read an answer to a question with `encoding-type=url`. Raises Unreadable."""
    read = _Reader()
    _parse(body, read)
    try:
        encoded = read.texts.get("EncodingType") == "url"
        objects = tuple(
            Listed(
                key=unquote_plus(each.get("Key", "")) if encoded else each.get("Key", ""),
                etag=each.get("ETag", "").strip('"'),
                modified=each.get("LastModified", ""),
                size=int(each.get("Size", "0")),
            )
            for each in read.objects
        )
    except ValueError as error:
        raise Unreadable("an object's size is no number") from error
    more = read.texts.get("IsTruncated") == "true"
    return Page(objects, read.texts.get("NextContinuationToken", "") if more else "")


def code_of(body: bytes) -> str:
    """Return the code of an error, as AccessDenied; empty when it says none."""
    read = _Reader()
    try:
        _parse(body, read)
    except Unreadable:
        return ""
    code = read.texts.get("Code", "")
    return code if code.isalnum() and code.isascii() else ""


class _Reader:
    """The texts of the elements below the root, and of those in each `Contents`."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.objects: list[dict[str, str]] = []
        self._path: list[str] = []
        self._text: list[str] = []

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(":")[2])
        self._text.clear()
        if self._path[1:] == ["Contents"]:
            self.objects.append({})

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, _name: str) -> None:
        match self._path[1:]:
            case [name]:
                self.texts[name] = "".join(self._text)
            case ["Contents", name]:
                self.objects[-1][name] = "".join(self._text)
        self._path.pop()
        self._text.clear()


def _parse(body: bytes, reader: _Reader) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = reader.data, _refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise Unreadable("it is not XML") from error


def _refuse(*_declared: object) -> None:
    raise Unreadable("it declares a document type")
