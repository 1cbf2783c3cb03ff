"""Commands with subcommands: found under faas-cli's short names too, and flags as faas-cli's users write them."""

from collections.abc import Mapping
from typing import Any

import click

_SHORT = {"ls": "list", "rm": "remove", "delete": "remove"}
_YES = {"1", "t", "T", "TRUE", "true", "True"}
_NO = {"0", "f", "F", "FALSE", "false", "False"}


class Group(click.Group):
    """`aliases` are names that only this group has, beside those of every group."""

    def __init__(self, *args: Any, aliases: Mapping[str, str] = {}, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._aliases = {**_SHORT, **aliases}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of this name or alias, or None."""
        return super().get_command(ctx, self._aliases.get(cmd_name, cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand, and its arguments with plain flags."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, plain_flags(command, rest)


def plain_flags(command: click.Command | None, args: list[str]) -> list[str]:
    """Return the arguments with every `--flag=true` as `--flag`, and `--flag=false` as `--no-flag`, or left out where
    the flag is off by itself. faas-cli takes its flags in both ways.
    """
    if command is None or isinstance(command, click.Group):
        return args
    flags = {name: option for option in command.params if _is_flag(option) for name in option.opts}
    plain: list[str] = []
    for at, arg in enumerate(args):
        if arg == "--":
            return plain + args[at:]
        name, equals, value = arg.partition("=")
        if not equals or name not in flags or value not in _YES | _NO:
            plain.append(arg)
        elif value in _YES:
            plain.append(name)
        else:
            plain += flags[name].secondary_opts[:1]
    return plain


def _is_flag(option: click.Parameter) -> bool:
    return isinstance(option, click.Option) and option.is_flag and not option.multiple
