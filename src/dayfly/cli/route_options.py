"""The options that say what a route is, and the route that they make."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.model.route import Cors, Target
    from dayfly.model.route_auth import Auth

F = TypeVar("F", bound=Callable[..., Any])
AUTH = ("none", "key", "basic", "jwt", "hmac")
_AUTH_PARTS = (
    "secret",
    "header",
    "issuer",
    "audience",
    "algorithm",
    "jwks",
    "leeway",
    "scheme",
    "window",
    "signed_body",
)
_OF_KIND = {
    "none": (),
    "key": ("secret", "header"),
    "basic": ("secret",),
    "jwt": ("secret", "issuer", "audience", "algorithm", "jwks", "leeway"),
    "hmac": ("secret", "header", "scheme", "window", "signed_body"),
}
_CORS_PARTS = ("cors_method", "cors_header", "cors_expose", "cors_max_age", "cors_credentials")
_OPTIONS = (
    click.option("--host", metavar="HOST", help="A host, or *.DOMAIN for one label before it.  [default: any]"),
    click.option("--path", metavar="PATH", help="A path, or PREFIX/* for all below it.  [default: /*]"),
    click.option("--strip/--no-strip", default=None, help="Give the function the path without the prefix."),
    click.option("--method", multiple=True, metavar="METHOD", help="May be repeated.  [default: all]"),
    click.option("--function", multiple=True, metavar="NAME", help="Who answers; may be repeated, with weights."),
    click.option("--weight", multiple=True, type=int, help="One for each --function, in their order."),
    click.option("--auth", type=click.Choice(AUTH), help="How callers are checked."),
    click.option("--secret", metavar="NAME", help="The secret that holds keys, logins or a token's key."),
    click.option("--header", metavar="NAME", help="key: the only place for it. hmac: where the signature is."),
    click.option("--issuer", metavar="TEXT", help="jwt: the iss of the tokens."),
    click.option("--audience", multiple=True, metavar="TEXT", help="jwt: the aud of the tokens; may be repeated."),
    click.option("--algorithm", multiple=True, metavar="ALG", help="jwt.  [default: RS256 ES256 EdDSA]"),
    click.option("--jwks", metavar="FILE", help="jwt: the issuer's public keys, a JSON Web Key Set."),
    click.option("--leeway", metavar="TIME", help="jwt: how far clocks may differ.  [default: 30s]"),
    click.option("--scheme", type=click.Choice(("github", "stripe", "plain")), help="hmac.  [default: github]"),
    click.option("--window", metavar="TIME", help="hmac: how old a signature may be.  [default: 5m]"),
    click.option("--signed-body", metavar="SIZE", help="hmac: the largest body that is checked.  [default: 1Mi]"),
    click.option("--cors", multiple=True, metavar="ORIGIN", help="A site whose pages may call, * or none."),
    click.option("--cors-method", multiple=True, metavar="METHOD", help="What they may use.  [default: the route's]"),
    click.option("--cors-header", multiple=True, metavar="NAME", help="What they may send."),
    click.option("--cors-expose", multiple=True, metavar="NAME", help="What they may read."),
    click.option("--cors-credentials", is_flag=True, help="They may send cookies along."),
    click.option("--cors-max-age", metavar="TIME", help="How long browsers remember it.  [default: 10m]"),
    click.option("--rate", metavar="CALLS/TIME", help="What each client may do, as 100/1m; none."),
    click.option("--rate-by", type=click.Choice(("client", "caller")), help="By address, or by who was let in."),
    click.option("--max-body", metavar="SIZE", help="The largest body; none."),
)  # fmt: skip


def route_options(command: F) -> F:
    """Add the options that say what a route is."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a route that the options set, checked as far as one goes by itself.

    Raises InvalidRequest, InvalidSpec.
    """
    from dayfly.model.route import ANY_HOST, RateLimit

    found: dict[str, Any] = {}
    if given["host"] is not None:
        found["host"] = ANY_HOST if given["host"] == "*" else given["host"]
    if given["path"] is not None:
        found["path"] = given["path"]
    if given["strip"] is not None:
        found["strip"] = given["strip"]
    if given["method"]:
        found["methods"] = () if given["method"] == ("all",) else tuple(method.upper() for method in given["method"])
    if given["function"] or given["weight"]:
        found["targets"] = _targets(given["function"], given["weight"])
    if given["auth"] is not None or _any(given, _AUTH_PARTS):
        found["auth"] = _auth(given)
    if given["cors"] or _any(given, _CORS_PARTS):
        found["cors"] = _cors(given)
    if given["rate"] is not None or given["rate_by"] is not None:
        rate, by = given["rate"], given["rate_by"] or "client"
        if rate is None:
            raise InvalidRequest("--rate-by says whose calls are counted.", hint="Give --rate CALLS/TIME with it.")
        found["rate"] = None if rate == "none" else RateLimit.parse(rate, by)
    if given["max_body"] is not None:
        found["max_body"] = "" if given["max_body"] == "none" else given["max_body"]
    return found


def _targets(functions: tuple[str, ...], weights: tuple[int, ...]) -> "tuple[Target, ...]":
    from dayfly.model.route import Target

    if weights and len(weights) != len(functions):
        raise InvalidRequest(
            f"There are {len(functions)} functions and {len(weights)} weights.", hint="Give one --weight for each."
        )
    return tuple(
        Target(function=name, weight=weight)
        for name, weight in zip(functions, weights or (1,) * len(functions), strict=True)
    )


def _auth(given: Mapping[str, Any]) -> "Auth | None":
    from dayfly.model.route_auth import BasicAuth, HmacAuth, JwtAuth, KeyAuth

    kind = given["auth"]
    if kind is None:
        raise InvalidRequest("Which kind of auth?", hint=f"Give --auth with one of {', '.join(AUTH)}.")
    parts = {name: given[name] for name in _AUTH_PARTS if given[name]}
    foreign = sorted(set(parts) - set(_OF_KIND[kind]))
    if foreign:
        raise InvalidRequest(f"--{foreign[0].replace('_', '-')} has no meaning with --auth {kind}.")
    if kind == "none":
        return None
    if kind != "jwt" and "secret" not in parts:
        raise InvalidRequest(f"--auth {kind} needs --secret, the name of a secret that says who may call.")
    if kind == "key":
        return KeyAuth(**parts)
    if kind == "basic":
        return BasicAuth(**parts)
    if kind == "hmac":
        body = {"max_body": parts.pop("signed_body")} if "signed_body" in parts else {}
        return HmacAuth(**parts, **body)
    if "algorithm" in parts:
        parts["algorithms"] = parts.pop("algorithm")
    if "jwks" in parts:
        parts["jwks"] = _key_set(parts["jwks"])
    return JwtAuth(**{"issuer": "", "audience": (), **parts})


def _key_set(path: str) -> dict[str, Any]:
    import msgspec

    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"{path} is not a JSON Web Key Set: {error}") from error


def _cors(given: Mapping[str, Any]) -> "Cors | None":
    from dayfly.model.route import Cors

    if given["cors"] == ("none",):
        return None
    if not given["cors"]:
        raise InvalidRequest("Which sites' pages may call?", hint="Give --cors https://HOST, or --cors '*'.")
    age = {"max_age": given["cors_max_age"]} if given["cors_max_age"] else {}
    return Cors(
        origins=given["cors"], methods=tuple(method.upper() for method in given["cors_method"]),
        headers=given["cors_header"], expose=given["cors_expose"], credentials=given["cors_credentials"], **age,
    )  # fmt: skip


def _any(given: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return any(given[name] for name in names)
