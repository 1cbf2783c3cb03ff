"""Looking for credentials in what is about to leave the machine: files, layers, archives in them, build arguments.

It is bounded: a file is read in windows, archives are opened four deep, and what they hold counts against one budget
of bytes and entries. What was not looked into for that reason is told, never passed over in silence. A finding says
where and what kind; the credential itself is in no finding, text or log.
"""

import io
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

import msgspec

from dayfly.model.errors import InvalidRequest, InvalidSpec
from dayfly.oci.nested import Budget, members, opens
from dayfly.oci.rules import BY_NAME, EXACT, FOLDED, RULES, Rule

ALLOWED_LABEL = "com.dayfly.allowed-secrets"
"""An image's label, or a function's annotation, that names what was accepted: `RULE:PATH`, separated by spaces."""
LEAVES = "Credentials would leave this machine"
_WINDOW = 1024 * 1024
_OVERLAP = 16 * 1024
"""More than any pattern is long, so that what lies across the edge of two windows is whole in one of them."""
_MOST_FINDINGS = 100
_FROM_ELSEWHERE = re.compile(r"(?:^|/)(?:site-packages|dist-packages|node_modules|vendor)(?:/|$)")
_ANY = re.compile(b"|".join(map(re.escape, EXACT)))
_PATH = re.compile(r"[^\0\r\n]{1,1024}")


class Finding(msgspec.Struct, frozen=True, order=True):
    """One credential, by where it is."""

    path: str
    """Relative to what was scanned; `a.zip!b/c` inside an archive, `build-arg/NAME` for a build argument."""
    line: int
    """From 1; in a binary file what editors would call the line."""
    rule: str

    @property
    def text(self) -> str:
        """The finding as a person reads it."""
        return f"{self.path}:{self.line}: {BY_NAME[self.rule].kind} ({self.rule})"


class Allowance(msgspec.Struct, frozen=True, order=True):
    """What somebody has looked at and accepts: a rule, where a path or a pattern such as `tests/*` matches.

    As with `.gitignore`, that is at any depth: a file has another path in an image than it had in its folder.
    """

    rule: str
    path: str

    @classmethod
    def parse(cls, text: str) -> "Allowance":
        """Return what `RULE:PATH` means. Raises InvalidSpec."""
        rule, colon, path = text.partition(":")
        if rule not in BY_NAME:
            known = ", ".join(sorted(BY_NAME))
            raise InvalidSpec(f"--allow-secret: {rule[:60]!r} is no rule; there are {known}")
        if not colon or not _PATH.fullmatch(path):
            raise InvalidSpec(f"--allow-secret: {text[:80]!r} must be RULE:PATH, as {rule}:tests/key.pem is")
        return cls(rule, path)

    def covers(self, finding: Finding) -> bool:
        """Whether the finding is accepted."""
        if self.rule != finding.rule:
            return False
        path = f"/{finding.path}"
        return path.endswith(f"/{self.path}") or fnmatchcase(path, f"*/{self.path}")


class Scan:
    """One look over everything that belongs together."""

    def __init__(self, budget: Budget | None = None) -> None:
        self.findings: list[Finding] = []
        self.unread: list[str] = []
        """Archives that were not looked into, with the reason."""
        self._budget = budget or Budget()

    def file(self, path: str, content: bytes) -> None:
        """Look into a file, and into what it holds when it is an archive."""
        self.stream(path, io.BytesIO(content))

    def stream(self, path: str, file: BinaryIO, depth: int = 0) -> None:
        """The same for a file that can be sought in and is not held in memory as a whole."""
        kind = opens(file)
        if kind in ("", "unknown"):
            self._text(path, file)
        if kind:
            for name, inner in members(kind, file, self._budget, depth, lambda why: self._tell(path, why)):
                self.stream(f"{path}!{name}" if name else path, inner, depth + 1)

    def folder(self, top: Path) -> None:
        """Look into every file below a folder; links are not followed. Raises InvalidRequest for an unreadable one."""
        for path in sorted(top.rglob("*")):
            if path.is_file() and not path.is_symlink():
                try:
                    with path.open("rb") as file:
                        self.stream(path.relative_to(top).as_posix(), file)
                except OSError as error:
                    raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from error

    def layer(self, file: BinaryIO) -> None:
        """Look into a layer of an image, packed or not; paths are those in the image."""
        kind = opens(file)
        if kind not in ("tar", "gzip", "bzip2", "xz"):
            self._tell("a layer", "of a kind that is not opened")
            return
        for name, inner in members(kind, file, self._budget, 0, lambda why: self._tell("a layer", why)):
            if name:
                self.stream(name, inner, 1)
            else:
                self.layer(inner)

    def arguments(self, args: Mapping[str, str]) -> None:
        """Look at build arguments: they stay readable in the image's history."""
        self.variables("build-arg", args)

    def variables(self, what: str, values: Mapping[str, str]) -> None:
        """Look at values that have names; the path of a finding is `WHAT/NAME`."""
        for name, value in values.items():
            # As a line of a file of variables: a name that speaks of a secret is enough.
            self._search(f"{what}/{name}", ".env", f"{name}={value}\n".encode(), 1, is_text=True, guesses=True)

    def refuse(self, allowed: Iterable[Allowance] = (), where: str = "", told: str = LEAVES) -> list[Allowance]:
        """Return the allowances that were needed. Raises InvalidRequest that names the findings not allowed.

        `where` says what was scanned, such as the folder that paths are relative to; `told` what is wrong with it.
        """
        allowed = list(allowed)
        needed = {each for each in allowed for finding in self.findings if each.covers(finding)}
        left = sorted({finding for finding in self.findings if not any(each.covers(finding) for each in allowed)})
        if left:
            where = f" with {where}" if where else ""
            found = "; ".join(finding.text for finding in left[:10])
            more = f"; and {len(left) - 10} more" if len(left) > 10 else ""
            first = left[0]
            raise InvalidRequest(
                f"{told}{where}: {found}{more}.",
                hint="Take them out, or name the file in a .dayflyignore file there; one that is meant to be there is"
                f" accepted with --allow-secret '{first.rule}:{first.path}'.",
            )
        return sorted(needed)

    def _tell(self, path: str, why: str) -> None:
        if len(self.unread) < _MOST_FINDINGS:
            self.unread.append(f"{path}: {why}")

    def _text(self, path: str, file: BinaryIO) -> None:
        name = path.rpartition("/")[2].rpartition("!")[2]
        before, line, is_text = b"", 1, True
        while chunk := file.read(_WINDOW):
            window = before + chunk
            if not before:
                is_text = b"\0" not in window[:8192]
            guesses = is_text and _FROM_ELSEWHERE.search(path) is None
            self._search(path, name, window, line, is_text=is_text, guesses=guesses)
            cut = max(0, len(window) - _OVERLAP)
            line += window.count(b"\n", 0, cut)
            before = window[cut:]

    def _search(self, path: str, name: str, window: bytes, line: int, *, is_text: bool, guesses: bool) -> None:
        keys = _keys(window, is_text=is_text)
        for rule in RULES:
            if (rule.guess and not guesses) or keys.isdisjoint(rule.keys) or not rule.concerns(name):
                continue
            for start in _places(rule, window):
                if len(self.findings) >= _MOST_FINDINGS:
                    return
                found = Finding(path, line + window.count(b"\n", 0, start), rule.name)
                if found not in self.findings:
                    self.findings.append(found)


def allowances_in(label: str) -> tuple[Allowance, ...]:
    """Return what such a label or annotation accepts. Raises InvalidSpec."""
    return tuple(Allowance.parse(each.replace("%20", " ")) for each in label.split())


def label_of(allowed: Iterable[Allowance]) -> str:
    """Return what the label of an image says of what was accepted; empty when nothing was."""
    return " ".join(f"{each.rule}:{each.path.replace(' ', '%20')}" for each in sorted(allowed))


def _keys(window: bytes, *, is_text: bool) -> set[bytes]:
    """Return which keys occur: one after the other in text, all at once in binary files, as is quicker in either."""
    if not is_text:
        return set(_ANY.findall(window))
    lowered = window.lower()
    return {key for key in EXACT if key in window} | {key for key in FOLDED if key in lowered}


def _places(rule: Rule, window: bytes) -> Iterable[int]:
    for found in rule.form.finditer(window):
        if rule.accepts(found):
            at = "secret" if "secret" in rule.form.groupindex else 0
            yield found.start(at)
