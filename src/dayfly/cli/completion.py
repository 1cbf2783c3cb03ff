"""`dayfly completion`: what a shell has to read so that Tab completes commands, options and functions' names."""

import click

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", required=False, type=click.Choice(_SHELLS))
@click.option("--shell", "named", type=click.Choice(_SHELLS), help="The same as SHELL, as faas-cli has it.")
def command(shell: str | None, named: str | None) -> None:
    """Print the completion script of a shell.

    Functions' names are completed by asking the gateway, for half a second at most.

    \b
    Examples:
      source <(dayfly completion bash)
      dayfly completion zsh > ~/.zfunc/_dayfly
      dayfly completion fish > ~/.config/fish/completions/dayfly.fish
    """
    from click.shell_completion import get_completion_class

    asked = shell or named
    if asked is None or (shell and named not in (None, shell)):
        raise click.UsageError("Name one shell: bash, zsh or fish.")
    kind = get_completion_class(asked)
    assert kind is not None, "click knows every shell that the argument accepts"
    completion = kind(click.get_current_context().find_root().command, {}, "dayfly", "_DAYFLY_COMPLETE")
    # Not `source()`: it runs the shell to look at its version, which the one who pipes this into a file may not have.
    click.echo(completion.source_template % completion.source_vars())
