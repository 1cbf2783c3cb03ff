"""The kinds of sources that triggers have: what each needs to be told, and what of it cannot work.

Those of the servers that hand out messages are in `broker.py`.
"""

import fnmatch
import re
from typing import Literal

import msgspec

from dayfly.model.endpoint import Endpoint, check_names, check_span, check_words, parse_endpoint
from dayfly.model.errors import InvalidSpec
from dayfly.model.names import parse_function_name
from dayfly.model.quantities import parse_duration, parse_memory
from dayfly.model.route_auth import MAX_SIGNED_BYTES, MAX_WINDOW_S, check_header

MAX_FILE_BYTES = 64 * 2**20
_STARS_ALONE = re.compile(r"[\[?]")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_ENDPOINT = re.compile(r"(https?)://([^/?#@\s]+)/?", re.ASCII)


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A source of any kind."""

    secret: str = ""
    """The secret of the namespace that lets it in; `model/trigger_secret.py` says what is in it."""

    @property
    def kind(self) -> str:
        """What the source is called in a specification."""
        return str(self.__struct_config__.tag)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The hosts and ports that the control plane connects to."""
        return ()

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""


class CronSource(Source, frozen=True, kw_only=True, tag_field="kind", tag="cron"):
    """The clock."""

    schedule: str
    """Cron's five fields, a descriptor, or `@every 90s`; several with `;` between."""
    timezone: str = ""
    """Of expressions that name none; empty for UTC."""
    missed: Literal["once", "skip"] = "once"
    """once: the last moment that nobody was there for is made up for; skip: none is."""


class WebhookSource(Source, frozen=True, kw_only=True, tag_field="kind", tag="webhook"):
    """Requests that somebody signs, at `/hooks/NAMESPACE/TRIGGER`; the secret holds one key a line."""

    scheme: Literal["github", "stripe", "slack", "standard-webhooks", "plain"] = "github"
    header: str = ""
    """The header that carries the signature, where it is not the scheme's own."""
    window: str = "5m"
    """How old a signature may be that says its time."""
    max_body: str = "1Mi"

    @property
    def window_s(self) -> float:
        """The window in seconds."""
        return parse_duration(self.window)

    @property
    def body_bytes(self) -> int:
        """The largest body in bytes."""
        return parse_memory(self.max_body)

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        if not self.secret:
            raise InvalidSpec("source.secret: is required: anybody could call a webhook that nobody signs")
        check_header("source.header", self.header)
        check_span("source.window", self.window, 1, MAX_WINDOW_S)
        try:
            size = parse_memory(self.max_body)
        except InvalidSpec as error:
            raise InvalidSpec(f"source.max_body: {error}") from error
        if size > MAX_SIGNED_BYTES:
            raise InvalidSpec(f"source.max_body: {self.max_body} must be at most 8Mi: it is held until it is checked")


class EventSource(Source, frozen=True, kw_only=True, tag_field="kind", tag="event"):
    """CloudEvents that somebody posts to `/v1/namespaces/NAMESPACE/events`."""

    types: tuple[str, ...] = ()
    """Those of the events that count, also as patterns with `*`; empty for all."""
    sources: tuple[str, ...] = ()
    """The same of their sources."""
    answers: bool = False
    """Whether CloudEvents that functions of the namespace answer queued calls with count as well."""

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        check_names("source.types", self.types, least=0)
        check_names("source.sources", self.sources, least=0)
        _without_secret(self)

    def takes(self, event_type: str, source: str) -> bool:
        """Whether such an event counts."""
        return _matches(self.types, event_type) and _matches(self.sources, source)


class FunctionSource(Source, frozen=True, kw_only=True, tag_field="kind", tag="function"):
    """Another function of the namespace, when a queued call of it has succeeded or has failed for good."""

    name: str
    outcome: Literal["success", "failure", "both"] = "success"

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        parse_function_name(self.name)
        _without_secret(self)


class S3Source(Source, frozen=True, kw_only=True, tag_field="kind", tag="s3"):
    """Objects that come into a bucket, change or go; the bucket is listed again and again."""

    endpoint: str
    """`https://HOST[:PORT]`."""
    bucket: str
    prefix: str = ""
    suffix: str = ""
    events: tuple[Literal["created", "removed"], ...] = ("created",)
    region: str = "us-east-1"
    interval: str = "30s"
    """How often it is listed."""
    start: Literal["latest", "earliest"] = "latest"
    """earliest: what is in the bucket when it is first listed counts as well."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The hosts and ports that the control plane connects to."""
        match = _ENDPOINT.fullmatch(self.endpoint)
        if match is None:
            raise InvalidSpec(f"source.endpoint: {self.endpoint[:100]!r} is not https://HOST or https://HOST:PORT")
        return (parse_endpoint("source.endpoint", match[2], 443 if match[1] == "https" else 80),)

    @property
    def interval_s(self) -> float:
        """The interval in seconds."""
        return parse_duration(self.interval)

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        _ = self.endpoints
        if not _BUCKET.fullmatch(self.bucket) or ".." in self.bucket:
            raise InvalidSpec(f"source.bucket: {self.bucket[:80]!r} is not a bucket's name")
        check_names("source.prefix", tuple(filter(None, (self.prefix,))), least=0)
        check_names("source.suffix", tuple(filter(None, (self.suffix,))), least=0)
        check_words(region=self.region)
        if not self.events or len({*self.events}) < len(self.events):
            raise InvalidSpec("source.events: must be created, removed, or both")
        check_span("source.interval", self.interval, 1, 86_400)


class FilesSource(Source, frozen=True, kw_only=True, tag_field="kind", tag="files"):
    """Files that somebody puts into a folder of the machine."""

    folder: str
    pattern: str = "*"
    """Which names count, as a shell's patterns have it; those that begin with a dot never do."""
    taken: Literal["move", "delete", "keep"] = "move"
    """What becomes of a file that was delivered: into the folder `.done` below, away, or left as it is."""
    body: Literal["content", "name"] = "content"
    """What the function is called with; a name is an event's subject in either case."""
    max_size: str = "8Mi"
    """Larger files are not delivered and go into the folder `.refused` below."""
    interval: str = "1s"
    """How often the folder is looked at."""

    @property
    def interval_s(self) -> float:
        """The interval in seconds."""
        return parse_duration(self.interval)

    @property
    def size_bytes(self) -> int:
        """The largest file in bytes."""
        return parse_memory(self.max_size)

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        if not self.folder.startswith("/") or ".." in self.folder.split("/") or not self.folder.isprintable():
            raise InvalidSpec(f"source.folder: {self.folder[:100]!r} must be a whole path, without ..")
        check_names("source.folder", (self.folder,))
        check_names("source.pattern", (self.pattern,))
        if "/" in self.pattern:
            raise InvalidSpec("source.pattern: is of files' names, so it has no /")
        check_span("source.interval", self.interval, 0.1, 86_400)
        try:
            size = parse_memory(self.max_size)
        except InvalidSpec as error:
            raise InvalidSpec(f"source.max_size: {error}") from error
        if size > MAX_FILE_BYTES:
            raise InvalidSpec(
                f"source.max_size: {self.max_size} must be at most 64Mi: a file is held until it is queued"
            )
        _without_secret(self)


def _matches(patterns: tuple[str, ...], text: str) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(text, _STARS_ALONE.sub(r"[\g<0>]", pattern)) for pattern in patterns)


def _without_secret(source: Source) -> None:
    if source.secret:
        raise InvalidSpec(f"source.secret: a source of kind {source.kind} connects to nobody and needs none")
