"""What a function's `requirements.txt` may say: names of packages with versions, extras, markers and hashes.

Lines that point elsewhere (options, paths, URLs, other files) are refused. They would change what is installed without
changing the address that the result is kept under, reach into this machine's files, or run code while installing. The
index that packages come from is the operator's to choose, in pip's and uv's own settings.
"""

import re

import msgspec

from dayfly.model.errors import BuildFailed

_MAX_BYTES = 256 * 1024
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_CLAUSE = r"(?:~=|===?|!=|<=?|>=?)\s*[A-Za-z0-9._*+!-]+"
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_LINE = re.compile(
    rf"(?P<name>{_NAME})\s*(?P<extras>\[[A-Za-z0-9._,\s-]*\])?\s*"
    rf"(?P<versions>\(?\s*(?:{_CLAUSE}(?:\s*,\s*{_CLAUSE})*\s*,?\s*)?\)?)\s*"
    r"(?P<marker>;[A-Za-z0-9_.\s()'\"<>=!~+*]+?)?\s*(?P<hashes>(?:--hash=sha(?:256|384|512):[0-9a-f]{64,128}\s*)*)",
    re.ASCII,
)


class Requirements(msgspec.Struct, frozen=True):
    """The lines that count, in one spelling and order, so that the same wishes have the same text."""

    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as a file that pip and uv read."""
        return "".join(f"{line}\n" for line in self.lines)


def parse_requirements(data: bytes) -> Requirements:
    """Return what the file asks for. Raises BuildFailed naming the line that is not taken."""
    if len(data) > _MAX_BYTES:
        raise BuildFailed(f"requirements.txt is larger than {_MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BuildFailed("requirements.txt is not UTF-8 text") from None
    lines = (_normalised(number, line) for number, line in _joined(text))
    return Requirements(tuple(sorted({line for line in lines if line})))


def _joined(text: str) -> list[tuple[int, str]]:
    """Return the lines with continuations joined and comments gone, each with the number it began at."""
    joined: list[tuple[int, str]] = []
    pending, began = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        began = began if pending else number
        stripped = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        if stripped.endswith("\\"):
            pending += stripped[:-1] + " "
            continue
        joined.append((began, pending + stripped))
        pending = ""
    return [*joined, (began, pending)] if pending else joined


def _normalised(number: int, line: str) -> str:
    line = line.strip()
    if not line:
        return ""
    match = _LINE.fullmatch(line)
    if match is None or match["name"].endswith(_ARCHIVES):
        raise BuildFailed(f"requirements.txt line {number}: {line[:80]!r} is not taken: {_why(line)}")
    name = re.sub(r"[-_.]+", "-", match["name"]).lower()
    extras = sorted(part.strip().lower() for part in (match["extras"] or "[]")[1:-1].split(",") if part.strip())
    clauses = sorted(re.sub(r"\s", "", part) for part in match["versions"].strip("() \t").split(",") if part.strip())
    marker = " ".join((match["marker"] or "").lstrip(";").split())
    parts = [name + (f"[{','.join(extras)}]" if extras else "") + ",".join(clauses)]
    parts += [f"; {marker}"] if marker else []
    return " ".join([*parts, *sorted(match["hashes"].split())])


def _why(line: str) -> str:
    if line.startswith("-"):
        return "options belong to the platform's operator, who sets them in pip's or uv's configuration"
    if "://" in line or line.startswith(("git+", "file:")) or re.match(rf"{_NAME}\s*(\[.*\])?\s*@", line):
        return "only packages by name are installed, none from a URL or a repository"
    if line.startswith((".", "/", "~")) or "/" in line or line.endswith(_ARCHIVES):
        return "only packages by name are installed, none from a path; code of your own goes into the bundle"
    return "write for example pillow>=11,<12"
