"""`dayfly route`: addresses of an author's own choosing that lead to functions."""

from typing import TYPE_CHECKING, Any

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, sheet, show
from dayfly.cli.removal import remove_each
from dayfly.cli.rollouts import time_text
from dayfly.cli.route_options import fields, route_options
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.model.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from dayfly.client import Client
    from dayfly.model.route import RouteSpec, RouteStatus
    from dayfly.model.route_auth import Auth


@click.group("route", cls=Group, aliases={"inspect": "describe"})
def command() -> None:
    """Make, change, list and remove routes, addresses of your own choosing that lead to functions.

    A route takes the calls of a host and a path, whole or as a prefix, and gives them to one function or, by weights,
    to several. It can ask callers for a key, a password, a JSON Web Token or a webhook's signature, answer browsers
    for pages of other sites, and limit what each client may do. A change is live in every gateway at once.

    \b
    Examples:
      dayfly route create --path '/shop/*' --strip --function shop
      dayfly route create --host api.example.org --function api --auth key --secret api-keys --rate 100/1m
      dayfly route list
    """


@command.command("create")
@click.option("--name", default="", help="Its name.  [default: that of the function]")
@route_options
@gateway_option
@namespace_option
def create(name: str, gateway: str, namespace: str, **given: Any) -> None:
    """Make a route.

    \b
    Examples:
      dayfly route create --path /hello --method GET --function hello
      dayfly route create --name blue-green --path '/app/*' --function blue --weight 90 --function green --weight 10
      dayfly route create --path /github --function on-push --auth hmac --secret github-webhook
      dayfly route create --host api.example.org --path '/v1/*' --function api \\
        --auth jwt --issuer https://login.example.org/ --audience api --jwks keys.json
      dayfly route create --path /quote --function quote --cors https://www.example.org --rate 60/1m
    """
    from dayfly.model.route import RouteSpec

    changes = fields(given)
    if "targets" not in changes:
        raise InvalidRequest("Which function answers?", hint="Give --function NAME.")
    if not {"host", "path"} & changes.keys():
        raise InvalidRequest(
            "For which host or path?", hint="Give --host or --path; --path '/*' takes every path of every host."
        )
    with connect(gateway) as client:
        spec = RouteSpec(
            name=name or changes["targets"][0].function, namespace=namespace or client.namespace, **changes
        )
        with Progress("making the route"):
            client.put_route(spec, mode="create")
    click.echo(f"Route created: {spec.name}, {_place(spec)}")


@command.command("update")
@click.argument("name")
@route_options
@gateway_option
@namespace_option
def update(name: str, gateway: str, namespace: str, **given: Any) -> None:
    """Change a route. What is not given stays as it is.

    `none` takes --auth, --cors, --rate and --max-body away, --method all takes every method, --host '*' any host.

    \b
    Examples:
      dayfly route update blue-green --function blue --weight 50 --function green --weight 50
      dayfly route update api --rate none
    """
    from msgspec.structs import replace

    changes = fields(given)
    if not changes:
        raise InvalidRequest("Nothing to change.", hint="Give an option; `dayfly route update --help` lists them.")
    with connect(gateway) as client, Progress("changing the route"):
        spec = replace(client.get_route(name, namespace=namespace).spec, **changes)
        client.put_route(spec, mode="update")
    click.echo(f"Route updated: {spec.name}, {_place(spec)}")


@command.command("list")
@gateway_option
@namespace_option
@output_option
def list_(gateway: str, namespace: str, output: str) -> None:
    """List the routes.

    \b
    Examples:
      dayfly route list
      dayfly route list --output name
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        routes = client.list_routes(namespace)
    show(
        routes,
        output,
        table=lambda: _table(routes),
        names=lambda: [one.spec.name for one in routes],
        none="No routes found.",
    )


@command.command("describe")
@click.argument("name")
@gateway_option
@namespace_option
@output_option
def describe(name: str, gateway: str, namespace: str, output: str) -> None:
    """Show everything about a route, but what lets callers in.

    \b
    Examples:
      dayfly route describe api
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        status = client.get_route(name, namespace=namespace)
    show(status, output, table=lambda: sheet(_fields(status)), names=lambda: [status.spec.name])


@command.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@gateway_option
@namespace_option
def remove(names: tuple[str, ...], gateway: str, namespace: str) -> None:
    """Remove routes. Their functions stay.

    \b
    Examples:
      dayfly route remove api
    """
    remove_each(gateway, "route", names, lambda client, name: client.remove_route(name, namespace=namespace))


@command.command("hosts")
@gateway_option
@output_option
def hosts(gateway: str, output: str) -> None:
    """List the hosts that namespaces were granted.

    \b
    Examples:
      dayfly route hosts
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        grants = client.list_hosts()
    rows = [["HOST", "NAMESPACE"], *([one.host or "*", one.namespace] for one in grants)]
    show(
        grants,
        output,
        table=lambda: columns(rows, (30, 10)),
        names=lambda: [one.host or "*" for one in grants],
        none="No hosts granted.",
    )


@command.command("grant")
@click.argument("host")
@gateway_option
@namespace_option
def grant(host: str, gateway: str, namespace: str) -> None:
    """Let a namespace have a host in its routes. It takes a credential for the whole installation.

    *.DOMAIN grants every host with one label before DOMAIN, and * the paths of every host that is no route's.

    \b
    Examples:
      dayfly route grant api.example.org --namespace team-a
      dayfly route grant '*.team-a.example.org' --namespace team-a
    """
    with connect(gateway) as client, Progress("granting the host"):
        given = client.grant_host(host, namespace=namespace)
    click.echo(f"Host granted: {given.host or '*'} to {given.namespace}")


@command.command("revoke")
@click.argument("host")
@gateway_option
@namespace_option
def revoke(host: str, gateway: str, namespace: str) -> None:
    """Take a granted host back, from the namespace or from whichever has it. The routes that are there stay.

    \b
    Examples:
      dayfly route revoke api.example.org
      dayfly route revoke api.example.org --namespace team-a
    """
    with connect(gateway) as client, Progress("taking the host back"):
        namespace = namespace or _holder(client, host)
        client.revoke_host(host, namespace=namespace)
    click.echo(f"Host revoked: {host} from {namespace}")


def _holder(client: "Client", host: str) -> str:
    holders = [one.namespace for one in client.list_hosts() if (one.host or "*") == host.lower()]
    if not holders:
        raise NotFound(f"No namespace was granted {host}.", hint="`dayfly route hosts` lists who was granted which.")
    if len(holders) > 1:
        raise InvalidRequest(f"{host} was granted to {', '.join(holders)}.", hint="Say which with --namespace.")
    return holders[0]


def _place(spec: "RouteSpec") -> str:
    return f"{spec.host or '*'}{spec.path}"


def _targets(spec: "RouteSpec") -> str:
    if len(spec.targets) == 1:
        return spec.targets[0].function
    return ", ".join(f"{target.function}={target.weight}" for target in spec.targets)


def _kind(auth: "Auth | None") -> str:
    return "none" if auth is None else str(auth.__struct_config__.tag)


def _table(routes: "list[RouteStatus]") -> str:
    rows = [["NAME", "PLACE", "METHODS", "FUNCTIONS", "AUTH", "STATE"]]
    for one in routes:
        spec = one.spec
        methods = ",".join(spec.methods) or "all"
        state = "closed" if one.trouble else "open"
        rows.append([spec.name, _place(spec), methods, _targets(spec), _kind(spec.auth), state])
    return columns(rows, (20, 30, 8, 20, 6, 5))


def _fields(status: "RouteStatus") -> list[tuple[str, str]]:
    spec = status.spec
    rate, cors = spec.rate, spec.cors
    return [
        ("Name", spec.name),
        ("Namespace", spec.namespace),
        ("Host", spec.host or "any"),
        ("Path", spec.path + (", without the prefix for the function" if spec.strip else "")),
        ("Methods", ", ".join(spec.methods) or "all"),
        ("Functions", _targets(spec)),
        ("Auth", _auth(spec.auth)),
        ("CORS", ", ".join(cors.origins) if cors is not None else "<none>"),
        ("Rate", f"{rate.calls} in {rate.window}, each {rate.by}" if rate is not None else "<no limit>"),
        ("Largest Body", spec.max_body or "<the function's>"),
        ("State", f"closed: {status.trouble}" if status.trouble else "open"),
        ("Created", time_text(status.created_unix_ms)),
        ("Updated", time_text(status.updated_unix_ms)),
    ]


def _auth(auth: "Auth | None") -> str:
    if auth is None:
        return "none"
    parts = [_kind(auth)]
    for name in ("secret", "header", "scheme", "issuer", "window"):
        value = getattr(auth, name, "")
        parts += [f"{name} {value}"] if value else []
    return ", ".join(parts)
