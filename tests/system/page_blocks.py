"""The code blocks of a page of docs/, so that what it tells people to type is what the tests type."""

from pathlib import Path
from typing import NamedTuple

PROGRAMS = ("dayfly ", "openssl ", "curl ", "DAYFLY_")
"""How a block begins that is commands."""


class Block(NamedTuple):
    """One block; `language` is empty where the page names none."""

    language: str
    text: str

    @property
    def is_commands(self) -> bool:
        """Whether somebody is to type it."""
        return not self.language and self.text.startswith(PROGRAMS)


def blocks(page: Path) -> list[Block]:
    """Return the page's blocks in their order, fenced and indented."""
    found: list[Block] = []
    language: str | None = None
    lines: list[str] = []
    for line in [*page.read_text().splitlines(), ""]:
        if language is not None:
            if line.startswith("```"):
                found.append(Block(language, "\n".join(lines)))
                language, lines = None, []
            else:
                lines.append(line)
        elif line.startswith("    "):
            lines.append(line[4:])
        else:
            if lines:
                found.append(Block("", "\n".join(lines)))
                lines = []
            if line.startswith("```"):
                language = line[3:].strip()
    return found
