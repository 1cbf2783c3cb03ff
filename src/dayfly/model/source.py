"""A function's source as somebody reads and edits it in a page: the files of its bundle, and what is changed in them.

What an edit does not touch stays as it is, to the byte: a picture in a bundle never has to travel through an editor.
"""

import base64
import binascii

import msgspec

from dayfly.model.errors import InvalidRequest
from dayfly.model.names import parse_bundle_digest

MAX_TEXT_BYTES = 256 * 1024
"""A larger file is told of, but not shown."""
MAX_SHOWN_BYTES = 4 * 2**20
"""Of all texts of an answer; those beyond it are told of, but not shown."""
MAX_FILES = 2000
MAX_CHANGE_BYTES = 16 * 2**20
"""Of the JSON of a change."""


class SourceFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a bundle."""

    path: str
    size_bytes: int
    text: str | None = None
    """None for what is no text, and for what is too large to be edited in a page."""
    executable: bool = False


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The code of one revision of a function."""

    revision: int
    bundle: str
    files: tuple[SourceFile, ...]
    """Ordered by their paths; at most 2000 of them."""
    cut: bool = False
    """Whether the bundle holds more."""


class ChangedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file is to hold: a text, or any bytes."""

    path: str
    text: str = ""
    base64: str = ""
    """Given in place of `text`."""
    executable: bool | None = None
    """None leaves it as it was; a new file is none that can be run unless it says so."""

    @property
    def content(self) -> bytes:
        """The bytes. Raises InvalidRequest."""
        if not self.base64:
            return self.text.encode()
        if self.text:
            raise InvalidRequest(f"files: {self.path[:80]} has both a text and base64; give one of them")
        try:
            return base64.b64decode(self.base64, validate=True)
        except binascii.Error:
            raise InvalidRequest(f"files: the base64 of {self.path[:80]} cannot be decoded") from None


class SourceChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which files a new bundle has."""

    base: str = ""
    """Digest of a bundle of the same namespace whose files it has unless something else is said; empty for none."""
    files: tuple[ChangedFile, ...] = ()
    removed: tuple[str, ...] = ()
    """Paths of files of the base that it has not; those of a folder are named one by one."""

    def check(self) -> None:
        """Refuse what says nothing or two things. Raises InvalidRequest, InvalidName."""
        if self.base:
            parse_bundle_digest(self.base)
        paths = [file.path for file in self.files]
        twice = {path for path in paths if paths.count(path) > 1} | set(paths) & set(self.removed)
        if twice:
            raise InvalidRequest(f"files: {min(twice)[:80]} is named more than once")


class StarterFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a template begins with."""

    path: str
    text: str


class Starter(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody begins a function with, who writes it in a page."""

    name: str
    """What the deployment calls its `lang`."""
    description: str
    needs: str
    """What the machine has to have, for people."""
    runtime: str
    dialect: str
    process: str
    env: dict[str, str]
    files: tuple[StarterFile, ...]
