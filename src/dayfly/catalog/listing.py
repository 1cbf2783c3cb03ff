"""Our store as others read it: in OpenFaaS's format, and as the native API tells it."""

import functools

from dayfly.catalog.entries import Entry, all_entries, icon_of
from dayfly.catalog.images import own_image
from dayfly.model.store import PLATFORMS, StoreFunction, StoreFunctions, StoreItem, StoreSample

AUTHOR = "dayfly"


def functions_json(base_url: str = "") -> StoreFunctions:
    """Return the list; `base_url` is where icons are served below, empty where they are not."""
    return StoreFunctions(functions=tuple(_function(entry, base_url) for entry in all_entries()))


@functools.cache
def items() -> tuple[StoreItem, ...]:
    """Return every function with all that is known of it, ordered by name."""
    return tuple(_item(entry) for entry in all_entries())


def _function(entry: Entry, base_url: str) -> StoreFunction:
    needs = f" Needs {entry.needs}." if entry.needs else ""
    return StoreFunction(
        name=entry.name,
        title=entry.title,
        description=entry.description + needs,
        author=AUTHOR,
        icon=f"{base_url}/store/icons/{entry.name}.svg" if base_url else "",
        images=dict.fromkeys(PLATFORMS, own_image(entry)),
        fprocess=entry.process,
        labels=entry.labels,
        aliases=entry.aliases,
        stands_for=entry.images,
    )


def _item(entry: Entry) -> StoreItem:
    return StoreItem(
        name=entry.name,
        title=entry.title,
        description=entry.description,
        aliases=entry.aliases,
        image=own_image(entry),
        stands_for=entry.images,
        runtime=entry.runtime,
        process=entry.process,
        network=entry.network,
        needs=entry.needs,
        labels=entry.labels,
        sample=StoreSample(entry.sample.content_type, entry.sample.body),
        icon=icon_of(entry).decode(),
    )
