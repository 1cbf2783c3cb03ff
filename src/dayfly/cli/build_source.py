"""Which functions `dayfly build` and `dayfly publish` are about, and what was typed about all of them."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dayfly.cli.selection import Selection
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.client.stack_function import StackFunction


class Additions(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed that changes each function."""

    build_arg: tuple[tuple[str, str], ...]
    build_option: tuple[str, ...]
    copy_extra: tuple[str, ...]
    allow_secret: tuple[str, ...]


class BuildSource(Selection, frozen=True, kw_only=True):
    """Where the functions come from."""

    name: str
    named: str
    handler: str | None
    lang: str
    entrypoint: str
    image: str

    def find(self, typed: Additions) -> "list[StackFunction]":
        """Return the functions that are meant, with what was typed; those too of which nothing is to be built.

        Raises InvalidRequest for what does not go together, is not there, or is an image that cannot be called so.
        """
        return [_changed(one, typed) for one in _functions(self)]


def _functions(source: BuildSource) -> "list[StackFunction]":
    from dayfly.client.stack_function import function_in

    if source.name and source.named not in ("", source.name):
        raise InvalidRequest(f"NAME is {source.name} and --name {source.named}; give one of them.")
    name = source.name or source.named
    if source.handler is not None:
        if not name or source.stack_file:
            raise InvalidRequest("--handler builds one function: give its NAME, and no stack file.")
        folder, image = Path(source.handler), _tagged(source, Path(source.handler), name)
        return [function_in(folder, name, lang=source.lang, entrypoint=source.entrypoint, image=image)]
    for option, value in (("--lang", source.lang), ("--entrypoint", source.entrypoint), ("--image", source.image)):
        if value:
            raise InvalidRequest(f"{option} goes with --handler; a stack file says it for each function.")
    found = source.functions(source.require(), name)
    return [one.with_image(one.spec.image or _tagged(source, one.folder, one.spec.name)) for one in found]


def _tagged(source: BuildSource, folder: Path, name: str) -> str:
    """The name of an image that no stack file names."""
    from dayfly.client.image_tag import tagged

    return tagged(source.image or f"{name}:latest", source.tag, folder)


def _changed(one: "StackFunction", typed: Additions) -> "StackFunction":
    """The function with what was typed. Raises InvalidRequest for an image that cannot be called so."""
    from dayfly.oci.reference import parse_reference
    from dayfly.oci.scan import Allowance

    if not one.skip_build and parse_reference(one.spec.image).digest:
        raise InvalidRequest(f"{one.spec.image} is called by a digest; an image that is to be built cannot be.")
    return msgspec.structs.replace(
        one,
        build_args={**one.build_args, **dict(typed.build_arg)},
        build_options=tuple(dict.fromkeys((*one.build_options, *typed.build_option))),
        copies=(*one.copies, *(_copy(path) for path in typed.copy_extra)),
        allowed=tuple(map(Allowance.parse, typed.allow_secret)),
    )


def _copy(text: str) -> tuple[Path, str]:
    path = Path(text)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise InvalidRequest(f"--copy-extra: {text[:80]!r} must be a path below this folder.")
    return path, path.as_posix()
