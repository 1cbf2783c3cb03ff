"""A metric with its samples, and how Prometheus' text format writes it."""

import math
from collections.abc import Iterator

import msgspec

Sample = tuple[str, dict[str, str], float]
"""What to add to the family's name, labels, value."""


class Family(msgspec.Struct, frozen=True):
    """One metric with all its samples."""

    name: str
    kind: str
    text: str
    samples: tuple[Sample, ...]

    def lines(self) -> Iterator[str]:
        """The family as Prometheus' text format 0.0.4 writes it."""
        yield f"# HELP {self.name} {self.text}\n# TYPE {self.name} {self.kind}\n"
        for suffix, labels, value in self.samples:
            inner = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            yield f"{self.name}{suffix}{{{inner}}} {number(value)}\n"


def number(value: float) -> str:
    """Return a number as Go writes it, which is how other programs expect to find a bucket: `1`, not `1.0`."""
    if math.isinf(value):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
