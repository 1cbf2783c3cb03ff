"""What the store has: a folder a function, with its code, an `entry.json`, an icon and a sample to send it.

The folders are data: nothing here is imported by the platform. A function is deployed from them as if its author had
uploaded the folder, so that it runs in the same box as everybody's.
"""

import functools
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

from dayfly.model.egress import Network
from dayfly.model.errors import NotFound
from dayfly.model.runtime import Runtime

ABOUT = ("entry.json", "icon.svg")
"""Files of a folder that describe the function and are no part of its code."""


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something to send to a function to see what it does."""

    content_type: str = "text/plain"
    body: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One function of the store."""

    name: str = ""
    title: str
    description: str
    aliases: tuple[str, ...] = ()
    """Other names that people know it by."""
    images: tuple[str, ...] = ()
    """Repositories, without registry and tag, of the images that it stands in for."""
    runtime: Runtime = "python"
    process: str = ""
    network: Network
    """The least that it can work with."""
    needs: str = ""
    """What must be had from outside when it is deployed; empty when it needs nothing."""
    labels: dict[str, str] = {}
    sample: Sample


def all_entries() -> tuple[Entry, ...]:
    """Return every function of the store, ordered by name."""
    return tuple(_by_name().values())


def find_entry(name: str) -> Entry | None:
    """Return the function called `name`, or known by it as an alias or a title, letters of any case."""
    wanted = name.lower()
    for entry in all_entries():
        if wanted in (entry.name, entry.title.lower(), *entry.aliases):
            return entry
    return None


def get_entry(name: str) -> Entry:
    """Return the function called `name`. Raises NotFound."""
    entry = find_entry(name)
    if entry is None:
        raise NotFound(f"the store has no function {name[:80]!r}", hint="`dayfly store list` shows what it has.")
    return entry


def folder_of(entry: Entry) -> Traversable:
    """Return the folder that holds the function."""
    return _functions() / entry.name


def icon_of(entry: Entry) -> bytes:
    """Return the function's icon, an SVG."""
    return (folder_of(entry) / "icon.svg").read_bytes()


@functools.cache
def _by_name() -> dict[str, Entry]:
    found = {}
    for folder in sorted(_functions().iterdir(), key=lambda each: each.name):
        if (folder / "entry.json").is_file():
            entry = msgspec.json.decode((folder / "entry.json").read_bytes(), type=Entry)
            found[folder.name] = msgspec.structs.replace(entry, name=folder.name)
    return found


def _functions() -> Traversable:
    return resources.files("dayfly.catalog") / "functions"
