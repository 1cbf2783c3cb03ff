"""Which functions somebody means by names and folders, while they are being written: for `dayfly dev` and `dayfly run`.

A name is a function of the stack file. A folder is the function whose code it holds, as the stack file here or the one
beside it says; or all functions of the stack file in it; or, where no stack file knows it, a function of the folder's
own name. Nothing at all is the stack file of this folder, or this folder.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dayfly.model.errors import DayflyError, InvalidRequest

if TYPE_CHECKING:
    from dayfly.client.stack import Stack
    from dayfly.client.stack_function import StackFunction

_MARKS = {
    "handler.py": "python",
    "handler.js": "node",
    "handler.sh": "bash",
    "handler.rb": "ruby",
    "handler.go": "go",
    "Dockerfile": "dockerfile",
}
"""Files by which a folder's language is known where nothing else says it."""


class Sources(msgspec.Struct, frozen=True):
    """The functions that are meant and what was read to know them."""

    functions: "tuple[StackFunction, ...]"
    gateway: str = ""
    """The first stack file's own."""
    files: tuple[Path, ...] = ()
    """Stack and environment files."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed."""

    targets: tuple[str, ...] = ()
    stack_file: str | None = None
    envsubst: bool = True
    lang: str = ""
    """The language of folders that no stack file knows."""
    entrypoint: str = ""

    def find(self) -> Sources:
        """Return the functions, each once, in the order they were asked for.

        Raises InvalidRequest for what is neither a function nor a folder, InvalidSpec for what cannot be deployed.
        """
        stack = self._stack(self.stack_file)
        found = [each for target in self.targets or ("",) for each in self._meant(target, stack)]
        functions = {each.spec.key: each for _, each in found}
        stacks = {each.origin: each for each, _ in found if each is not None}
        here = [each.path for each in stacks.values() if each.is_here]
        files = [*here, *(path for one in functions.values() for path in one.files)]
        gateway = next((each.gateway for each in stacks.values() if each.gateway), "")
        return Sources(tuple(functions.values()), gateway, tuple(dict.fromkeys(files)))

    def _meant(self, target: str, stack: "Stack | None") -> "Iterator[tuple[Stack | None, StackFunction]]":
        if stack is not None and (not target or target in stack.entries):
            for one in stack.functions(glob=target):
                yield stack, one
            return
        folder = Path(target)
        if target and not folder.is_dir():
            known = f"; {stack.origin} has {', '.join(sorted(stack.entries)) or 'none'}" if stack is not None else ""
            raise InvalidRequest(f"{target} is neither a function nor a folder{known}.")
        yield from self._in_folder(folder, stack)

    def _in_folder(self, folder: Path, stack: "Stack | None") -> "Iterator[tuple[Stack | None, StackFunction]]":
        own = self._stack(None, folder)
        for one in (stack, own, self._stack(None, folder.resolve().parent)):
            name = one.name_of(folder) if one is not None else ""
            if one is not None and name:
                yield from ((one, each) for each in one.functions(glob=name))
                return
        if own is not None:
            yield from ((own, each) for each in own.functions())
        else:
            yield None, self._alone(folder)

    def _alone(self, folder: Path) -> "StackFunction":
        """The function of a folder that no stack file speaks of. Raises InvalidRequest."""
        from dayfly.client.stack_function import function_in
        from dayfly.model.names import parse_function_name

        lang = self.lang or next((lang for mark, lang in _MARKS.items() if (folder / mark).is_file()), "")
        if not lang and self.entrypoint:
            lang = "python"
        if not lang:
            hint = "Name its language with --lang, or begin with `dayfly new hello`."
            raise InvalidRequest(
                f"{folder} has neither a stack.yaml nor a handler that is known by its name.", hint=hint
            )
        name = folder.resolve().name.lower().replace("_", "-")
        try:
            parse_function_name(name)
        except DayflyError as error:
            hint = "Name the function in a stack.yaml: `dayfly new` writes one."
            raise InvalidRequest(f"The folder {folder.resolve()} cannot give its name: {error}", hint=hint) from error
        return function_in(folder, name, lang=lang, entrypoint=self.entrypoint)

    def _stack(self, named: str | None, folder: Path | None = None) -> "Stack | None":
        from dayfly.client.stack import load_stack
        from dayfly.client.stack_text import find_stack

        path = named or find_stack(folder)
        return load_stack(path, envsubst=self.envsubst) if path else None


def only(sources: Sequence["StackFunction"]) -> "StackFunction":
    """Return the one function there is. Raises InvalidRequest when there are more."""
    if len(sources) > 1:
        names = ", ".join(one.spec.name for one in sources)
        raise InvalidRequest(f"This works on one function; name one of {names}.")
    return sources[0]
