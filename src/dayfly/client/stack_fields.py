"""Reading a YAML tree field by field, with errors that name the file and the way to the field."""

from collections.abc import Sequence

import msgspec

from dayfly.client.yaml_text import Tree
from dayfly.model.errors import InvalidSpec

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0", ""}


class Fields(msgspec.Struct, frozen=True):
    """A mapping of a document and where it is."""

    file: str
    path: str
    """The keys that lead here, dotted; empty for the document itself."""
    values: dict[str, Tree]

    @classmethod
    def root(cls, file: str, tree: Tree) -> "Fields":
        """The document's own fields; none for an empty one. Raises InvalidSpec when it is no mapping."""
        if tree is not None and not isinstance(tree, dict):
            raise InvalidSpec(f"{file}: must be a mapping, `key: value`")
        return cls(file, "", tree or {})

    def text(self, key: str) -> str:
        """A field's text; empty when it is absent or null. Raises InvalidSpec for a list or a mapping."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, str):
            raise self.refusal(key, "must be text")
        return value or ""

    def texts(self, key: str) -> dict[str, str]:
        """A mapping of texts, null being empty text. Raises InvalidSpec."""
        part = self.part(key)
        return {name: part.text(name) for name in part.values} if part else {}

    def items(self, key: str) -> list[str]:
        """A list of texts; one text alone is a list of one. Raises InvalidSpec."""
        value = self.values.get(key)
        found = [value] if isinstance(value, str) else value or []
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise self.refusal(key, "must be a list of texts")
        return [item for item in found if isinstance(item, str) and item]

    def part(self, key: str) -> "Fields | None":
        """The fields below a key; None when it is absent, null or empty. Raises InvalidSpec."""
        value = self.values.get(key)
        if not value:
            return None
        if not isinstance(value, dict):
            raise self.refusal(key, "must be a mapping, `key: value`")
        return Fields(self.file, f"{self.path}.{key}".removeprefix("."), value)

    def parts(self) -> "dict[str, Fields]":
        """The fields below every key. Raises InvalidSpec."""
        return {key: self.part(key) or Fields(self.file, f"{self.path}.{key}", {}) for key in self.values}

    def sections(self, key: str) -> "list[Fields]":
        """A list of mappings. Raises InvalidSpec."""
        found = self.values.get(key) or []
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self.refusal(key, "must be a list of mappings, `- key: value`")
        way = f"{self.path}.{key}".removeprefix(".")
        return [Fields(self.file, f"{way}.{at}", item) for at, item in enumerate(found) if isinstance(item, dict)]

    def truth(self, key: str) -> bool:
        """A yes or no; no when it is absent. Raises InvalidSpec."""
        text = self.text(key).lower()
        if text not in _TRUE | _FALSE:
            raise self.refusal(key, f"{text[:40]!r} must be true or false")
        return text in _TRUE

    def number(self, key: str) -> int:
        """A whole number; 0 when it is absent. Raises InvalidSpec."""
        text = self.text(key)
        if text and not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise self.refusal(key, f"{text[:40]!r} must be a whole number")
        return int(text or 0)

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        """One of the choices. Raises InvalidSpec."""
        text = self.text(key) or default
        if text not in choices:
            raise self.refusal(key, f"{text[:40]!r} must be one of {', '.join(choices)}")
        return text

    def refusal(self, key: str, what: str, *, hint: str = "") -> InvalidSpec:
        """The error that says what is wrong with a field of this mapping."""
        way = ".".join(part for part in (self.path, key) if part)
        return InvalidSpec(f"{self.file}: {way + ': ' if way else ''}{what}", hint=hint)
