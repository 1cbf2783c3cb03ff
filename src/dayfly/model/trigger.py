"""Triggers: which events call which functions.

A trigger names a source of events, which of them count, and the function that is called for each. Without a function it
calls every one of its namespace that names the event's topic in its `topic` annotation, as OpenFaaS's connectors do.
What lets it into somebody's server is never part of it: it is in a secret of the namespace, which a source names.
"""

from typing import Literal

import msgspec

from dayfly.model.broker import AmqpSource, KafkaSource, MqttSource, NatsSource, PostgresqlSource, RedisSource
from dayfly.model.errors import InvalidName, InvalidSpec
from dayfly.model.names import (
    DEFAULT_NAMESPACE,
    NamespaceName,
    parse_flow_name,
    parse_function_name,
    parse_namespace,
    parse_secret_name,
    parse_trigger_name,
)
from dayfly.model.trigger_source import CronSource, EventSource, FilesSource, FunctionSource, S3Source, WebhookSource

TriggerMode = Literal["create", "update", "upsert"]
TriggerState = Literal["connecting", "running", "waiting", "paused", "failing"]
"""waiting: the server went away, and it will be tried again. failing: somebody must act; `trouble` says what to do."""
TriggerSource = (
    CronSource
    | WebhookSource
    | EventSource
    | FunctionSource
    | NatsSource
    | KafkaSource
    | MqttSource
    | AmqpSource
    | RedisSource
    | PostgresqlSource
    | S3Source
    | FilesSource
)
MAX_NAMESPACE_TRIGGERS = 200
MAX_FILTER = 2_000


class TriggerSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody wants a trigger to be."""

    name: str
    namespace: str = DEFAULT_NAMESPACE
    function: str = ""
    """Empty for every function of the namespace whose annotation `topic` names the event's subject or type."""
    flow: str = ""
    """A flow that is begun instead; a `function` beside it is not called, and only says with whom it goes."""
    source: TriggerSource
    filter: str = ""
    """A JMESPath expression over {id, source, type, subject, time, extensions, data}; what it is false for is left."""
    paused: bool = False
    bound: bool = False
    """Whether it goes when its function does, as those do that a stack file names with their function."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that it needs."""
        return (self.source.secret,) if self.source.secret else ()

    def check(self) -> None:
        """Refuse what cannot be kept or would not work. Raises InvalidName, InvalidSpec with the field in the text."""
        parse_trigger_name(self.name)
        parse_namespace(self.namespace)
        if self.function:
            parse_function_name(self.function)
        if self.flow:
            parse_flow_name(self.flow)
            if self.function and not self.bound:
                raise InvalidSpec("flow: a trigger calls a function or begins a flow, not both")
        if self.bound and not self.function:
            raise InvalidSpec("bound: a trigger goes with a function, so it needs one")
        if self.source.secret:
            try:
                parse_secret_name(self.source.secret)
            except InvalidName as error:
                raise InvalidName(f"source.secret: {error.message}") from error
        if len(self.filter) > MAX_FILTER:
            raise InvalidSpec(f"filter: has {len(self.filter)} characters, more than the {MAX_FILTER} it may have")
        self.source.check()


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger as it is kept."""

    spec: TriggerSpec
    created_unix_ms: int
    updated_unix_ms: int

    @property
    def key(self) -> tuple[NamespaceName, str]:
        """Its identity."""
        return NamespaceName(self.spec.namespace), self.spec.name


class TriggerStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a trigger does; the counts are since the control plane began."""

    state: TriggerState = "connecting"
    trouble: str = ""
    """The last thing that went wrong, in one sentence; empty while nothing is."""
    delivered: int = 0
    """Events of which every call is in the queue, now or since before."""
    filtered: int = 0
    """Events that the filter left, or that no function wanted."""
    failed: int = 0
    """Events that no function will ever get."""
    missed: int = 0
    """Ends of calls, anybody's, that the queue had let go of before they were looked at; one may have been for this
    trigger."""
    last_unix_ms: int = 0
    """When the last event came; 0 for none."""


class TriggerStatus(Trigger, frozen=True, kw_only=True):
    """A trigger, and how it does."""

    standing: TriggerStanding = TriggerStanding()
