"""`dayfly start`: the platform on this machine, in the foreground or detached."""

from typing import Any

import click

from dayfly.cli.options import data_dir_option


@click.command("start")
@click.option("--host", metavar="ADDRESS", help="Where functions and API listen.  [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Their port.  [default: 8080, or a free one when it is taken]"
)
@click.option(
    "--console-port",
    type=click.IntRange(0, 65535),
    help="The page's port, on loopback.  [default: 8081, or a free one]",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="The metrics' port, on loopback.  [default: 8082, or a free one]",
)
@data_dir_option
@click.option(
    "--gateways", type=click.IntRange(1, 64), metavar="N", help="Gateway processes; one serves one core.  [default: 1]"
)
@click.option("--tls-cert", metavar="FILE", help="The certificate to serve HTTPS with, PEM.")
@click.option("--tls-key", metavar="FILE", help="Its private key, PEM.")
@click.option("--tls-folder", metavar="DIR", help="Certificates of hosts of their own: HOST.pem and HOST.key.")
@click.option("--insecure-http", is_flag=True, default=None, help="Allow another address than loopback without TLS.")
@click.option(
    "--allow-unsandboxed", is_flag=True, default=None, help="Start where nothing holds functions in their box."
)
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), help="What the platform's own log is like.  [default: text]"
)
@click.option("--detach", is_flag=True, help="Go to the background once it serves.")
def command(**options: Any) -> None:
    """Start the platform on this machine.

    In the foreground until Ctrl-C, or in the background with --detach. The admin password is shown once, at the first
    start. Another address than loopback needs --tls-cert and --tls-key, or --insecure-http when something in front of
    it encrypts.

    \b
    Examples:
      dayfly start
      dayfly start --detach --port 9000 --gateways 2
      dayfly start --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
    """
    from dayfly.cli.terminal import Progress
    from dayfly.server.commands import start
    from dayfly.server.settings import StartOptions

    if not options["detach"]:
        code = start(StartOptions(**options))
    else:
        with Progress("Starting the platform") as progress:

            def say(text: str) -> None:
                progress.clear()
                click.echo(text)

            code = start(StartOptions(**options), say=say)
    if code:
        raise click.exceptions.Exit(code)
