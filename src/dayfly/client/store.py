"""Stores: the platform's own through both clients, and the lists of others by their URL or from a file."""

from abc import ABC, abstractmethod
from typing import TypeVar

import msgspec

from dayfly.catalog.listing import functions_json
from dayfly.client.calls import Call, reads
from dayfly.client.stack_text import is_url
from dayfly.model.errors import InvalidRequest, InvalidSpec, NotFound
from dayfly.model.function import FunctionSpec
from dayfly.model.store import StoreFunction, StoreFunctions, StoreItem, StoreTemplate

T = TypeVar("T")
S = TypeVar("S")
_LIST_BYTES = 4 * 1024 * 1024


class Store(ABC):
    """The methods of the client for programs without asyncio."""

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def list_store(self) -> list[StoreItem]:
        """Return the functions of the platform's own store, ordered by name."""
        return self._send(_list_store())


class AsyncStore(ABC):
    """The methods of the client for asyncio."""

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def list_store(self) -> list[StoreItem]:
        """Return the functions of the platform's own store, ordered by name."""
        return await self._send(_list_store())


def functions_at(url: str) -> tuple[StoreFunction, ...]:
    """Return the functions of the store whose list is at `url` or in that file, ours when it is empty.

    Ours needs no network.

    Raises InvalidRequest, Unavailable when it cannot be had, InvalidSpec when it is no list of functions.
    """
    return _read(url, StoreFunctions).functions if url else functions_json().functions


def templates_at(url: str) -> tuple[StoreTemplate, ...]:
    """Return the templates of the template store whose list is at `url`. Raises as `functions_at`."""
    return _read(url, tuple[StoreTemplate, ...])


def find_function(functions: tuple[StoreFunction, ...], name: str, platform: str) -> StoreFunction:
    """Return the function that somebody means by a name, title or alias, and that is there for the platform.

    Raises NotFound.
    """
    called = [each for each in functions if each.is_called(name)]
    found = next((each for each in called if each.image_for(platform)), None)
    if found is None:
        where = f" for the platform {platform}" if called else ""
        raise NotFound(
            f"The store has no function {name[:80]!r}{where}.", hint="`dayfly store list` shows what it has."
        )
    return found


def deployment_of(function: StoreFunction, platform: str, name: str = "") -> FunctionSpec:
    """Return the deployment of a store's function, under its own name or another. Raises InvalidName, InvalidSpec."""
    spec = FunctionSpec(
        name=name or function.name,
        image=function.image_for(platform),
        runtime="image",
        lang="image",
        process=function.fprocess,
        env=function.environment,
        labels=function.labels,
        annotations=function.annotations,
        read_only_root_filesystem=function.read_only,
    )
    spec.check()
    return spec


def _list_store() -> Call[list[StoreItem]]:
    return Call("GET", "/v1/store", reads(list[StoreItem]))


def _read(url: str, kind: type[S]) -> S:
    data = _list_at(url)
    if len(data) > _LIST_BYTES:
        raise InvalidSpec(f"{url[:200]} is larger than a store's list, which has at most {_LIST_BYTES // 1024} KiB")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidSpec(f"{url[:200]} is no store's list: {error}") from error


def _list_at(place: str) -> bytes:
    if is_url(place):
        from dayfly.client.fetch import fetch

        return fetch(place, max_bytes=_LIST_BYTES)
    try:
        with open(place, "rb") as file:
            return file.read(_LIST_BYTES + 1)
    except OSError as error:
        hint = "A store is named by the URL of its list, or by a file with one."
        raise InvalidRequest(f"{place[:200]} cannot be read: {error.strerror}.", hint=hint) from error
