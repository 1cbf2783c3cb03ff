"""Which tables may be asked, their columns, and where each comes from.

What is not in here cannot be reached: not the payloads of calls, not what flows were given, not environments, secrets
or tokens, although they lie in the same files. Times are published twice, as texts in UTC that compare with what
SQLite's `datetime()` returns and that Excel and Power BI take for dates, and as numbers.
"""

from typing import Literal

import msgspec

from dayfly.model.query import TableColumn, TableInfo

ColumnKind = Literal["integer", "real", "text"]
LEVEL = "log_level"
"""The function that finds a line's level."""


class Column(msgspec.Struct, frozen=True):
    """A column that is published."""

    name: str
    kind: ColumnKind
    about: str = ""
    sql: str = ""
    """Made of the file's own columns; empty for the one of the same name."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """Tables of a file that the platform writes."""

    file: str
    tables: tuple[str, ...]
    columns: tuple[str, ...]
    """What is read of them, and nothing else can be: names of columns, or expressions with a name."""
    source: str = "{0}"
    """How the tables go together, each by its place."""
    namespace: str = "namespace"
    """The column that says whose a row is."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A table that may be asked."""

    name: str
    about: str
    columns: tuple[Column, ...]
    stored: Stored | None = None
    """None for what the control plane tells with the query."""
    is_for_admins: bool = False
    """Whether it takes a credential that hands out others."""

    def info(self) -> TableInfo:
        """Return it as it is shown."""
        columns = [TableColumn(name=each.name, type=each.kind, about=each.about) for each in self.columns]
        return TableInfo(name=self.name, about=self.about, columns=columns)


def _time(name: str, unix_ms: str, about: str) -> Column:
    return Column(name, "text", f"{about}, as 2026-11-30 12:00:00.000 in UTC.", utc(f'"{unix_ms}" / 1000.0'))


def utc(unix_s: str) -> str:
    """Return the expression of a time as text, of one in seconds; null for 0."""
    return f"strftime('%Y-%m-%d %H:%M:%f', nullif({unix_s}, 0), 'unixepoch')"


_NAMESPACE = Column("namespace", "text")
_FUNCTION = Column("function", "text", "Its name, without the namespace.")
CALLS = Published(
    name="calls",
    about="Calls that are over, as far as they are recorded.",
    columns=(
        _time("started", "started_unix_ms", "When it came"),
        _NAMESPACE,
        _FUNCTION,
        Column("id", "text", "The call's id; attempts of a queued call share it."),
        Column("revision", "integer", "0 where no replica got it."),
        Column("replica", "text"),
        Column("trigger", "text", "http, route NAME, queue, cron, …"),
        Column("method", "text"),
        Column("path", "text", "As the function got it, without its query."),
        Column("status", "integer", "What the caller was told; 499 for one who went away."),
        Column("error", "text", "Why it failed; empty for one that did not."),
        Column("total_ms", "real", "How long the caller waited.", "wait_ms + init_ms + run_ms"),
        Column("wait_ms", "real", "Held while all replicas were busy."),
        Column("init_ms", "real", "Held while a replica started."),
        Column("run_ms", "real", "From the first byte to the replica to the answer's end."),
        Column("cold", "integer", "1 for a call that waited for a replica to start."),
        Column("cpu_ms", "real"),
        Column("memory_bytes", "integer"),
        Column("request_bytes", "integer"),
        Column("response_bytes", "integer"),
        Column("caller", "text", "As a route's gate knows it; empty for anybody."),
        Column("address", "text"),
        Column("trace", "text"),
        Column("started_unix_ms", "integer"),
        Column("number", "integer", "Grows with every call."),
    ),
    stored=Stored(
        file="calls",
        tables=("calls",),
        columns=(
            "number", "id", "function", "namespace", "revision", "replica", "caller", "address", "trigger", "method",
            "path", "started_unix_ms", "wait_ms", "init_ms", "run_ms", "cold", "cpu_ms", "memory_bytes", "status",
            "request_bytes", "response_bytes", "error", "trace",
        ),
    ),
)  # fmt: skip
LOGS = Published(
    name="logs",
    about="What functions printed, also those and their replicas that are gone.",
    columns=(
        Column("at", "text", "When, as 2026-11-30 12:00:00.000 in UTC.", utc("unix_ns / 1e9")),
        _NAMESPACE,
        Column("function", "text", "Its name, without the namespace.", "name"),
        Column("level", "text", "fatal, error, warning, info, debug or empty, as the line says.",
               f"{LEVEL}(text)"),
        Column("text", "text"),
        Column("stream", "text", "stdout, stderr, or platform for what Dayfly says of the function."),
        Column("replica", "text"),
        Column("call_id", "text", "The call it was printed in, as far as that is known."),
        Column("unix_ns", "integer"),
        Column("number", "integer", "Grows with every line."),
    ),
    stored=Stored(
        file="logs", tables=("lines",),
        columns=("number", "namespace", "name", "unix_ns", "replica", "stream", "call_id", "text"),
    ),
)  # fmt: skip
ROLLUPS = Published(
    name="rollups",
    about="What calls came to in each minute and hour: exact, whatever was recorded of them.",
    columns=(
        Column("at", "text", "When it began, as 2026-11-30 12:00:00.000 in UTC.", utc("at_unix_s")),
        _NAMESPACE,
        _FUNCTION,
        Column("span", "text", "minute or hour; ask for one of them."),
        Column("calls", "integer", "", "CAST(calls AS INTEGER)"),
        Column("failed", "integer", "Answered with 500 or more.", "CAST(failed AS INTEGER)"),
        Column("cold", "integer", "", "CAST(cold AS INTEGER)"),
        Column("seconds", "real", "How long callers waited, in sum."),
        Column("run_s", "real", "How long replicas worked, in sum."),
        Column("request_bytes", "integer", "", "CAST(request_bytes AS INTEGER)"),
        Column("response_bytes", "integer", "", "CAST(response_bytes AS INTEGER)"),
        Column("at_unix_s", "integer"),
    ),
    stored=Stored(
        file="calls", tables=("rollups",),
        columns=("namespace", "function", "span", "at AS at_unix_s", "calls", "failed", "cold", "seconds", "run_s",
                 "request_bytes", "response_bytes"),
    ),
)  # fmt: skip
USAGE = Published(
    name="usage",
    about="What functions used in each hour, and what that cost where prices are set.",
    columns=(
        Column("at", "text", "The hour, as 2026-11-30 12:00:00.000 in UTC.", utc("hour * 3600")),
        _NAMESPACE,
        Column("function", "text", "Its name, without the namespace.", "name"),
        Column("calls", "integer"),
        Column("cpu_seconds", "real"),
        Column("gib_seconds", "real", "A GiB of memory for a second."),
        Column("cost", "real", "In the currency that prices are set in.", "cost(calls, cpu_seconds, gib_seconds)"),
        Column("currency", "text", "", "currency()"),
    ),
    stored=Stored(
        file="usage", tables=("hours",), columns=("namespace", "name", "hour", "calls", "cpu_seconds", "gib_seconds")
    ),
)
FLOW_RUNS = Published(
    name="flow_runs",
    about="Runs of flows, without what is in them.",
    columns=(
        _time("started", "started_unix_ms", "When it began"),
        _NAMESPACE,
        Column("flow", "text"),
        Column("id", "text"),
        Column("state", "text", "running, or how it ended."),
        _time("finished", "finished_unix_ms", "When it ended, null while it runs"),
        Column("seconds", "real", "How long it took; null while it runs.",
               "(nullif(finished_unix_ms, 0) - started_unix_ms) / 1000.0"),
        Column("started_unix_ms", "integer"),
        Column("finished_unix_ms", "integer", "", "nullif(finished_unix_ms, 0)"),
    ),
    stored=Stored(
        file="flows", tables=("runs",),
        columns=("id", "namespace", "flow", "state", "started_unix_ms", "finished_unix_ms"),
    ),
)  # fmt: skip
METRICS = Published(
    name="metrics",
    about="Figures over time. Only changes are kept: a value holds until the next one of the same name and labels.",
    columns=(
        Column("at", "text", "When, as 2026-11-30 12:00:00.000 in UTC.", utc("at_unix_ms / 1000.0")),
        Column("namespace", "text", "Empty for what is the installation's."),
        Column("function", "text", "As the labels say; empty where they name none.", "metric_function(labels)"),
        Column("name", "text", "As Prometheus has it; counters never begin anew."),
        Column("labels", "text", "A JSON object: labels ->> 'code'.", "metric_labels(labels)"),
        Column("value", "real", "The last in its span."),
        Column("low", "real", "The least in its span; null where there was one sample."),
        Column("high", "real"),
        Column("step", "text", "10s, 1m, 15m or 1d: how fine the figures are; ask for one of them.",
               "CASE tier WHEN 0 THEN '10s' WHEN 1 THEN '1m' WHEN 2 THEN '15m' ELSE '1d' END"),
        Column("at_unix_ms", "integer"),
    ),
    stored=Stored(
        file="history", tables=("points", "series"), namespace="s.namespace",
        source="{1} AS s JOIN {0} AS p ON p.series = s.id AND p.tier IN (0, 1, 2, 3) AND p.value IS NOT NULL",
        columns=("p.at AS at_unix_ms", "s.namespace AS namespace", "s.name AS name", "s.labels AS labels",
                 "p.value AS value", "p.low AS low", "p.high AS high", "p.tier AS tier"),
    ),
)  # fmt: skip
AUDIT = Published(
    name="audit",
    about="Who changed what, without what differs; for administrators.",
    columns=(
        Column("at", "text", "When, as 2026-11-30 12:00:00.000 in UTC.", utc("at_unix_ms / 1000.0")),
        Column("namespace", "text", "Empty for what is the installation's."),
        Column("who", "text"), Column("role", "text", "", "entry ->> '$.role'"),
        Column("address", "text", "", "entry ->> '$.address'"), Column("action", "text"),
        Column("target", "text", "", "entry ->> '$.target'"),
        Column("status", "integer", "What they were answered.", "entry ->> '$.status'"),
        Column("at_unix_ms", "integer"), Column("sequence", "integer"),
    ),
    stored=Stored(
        file="audit", tables=("entries",), columns=("sequence", "at AS at_unix_ms", "namespace", "who", "action",
                                                    "entry"),
    ),
    is_for_admins=True,
)  # fmt: skip
FUNCTIONS = Published(
    name="functions",
    about="Functions as they are now.",
    columns=(
        _NAMESPACE, Column("name", "text"), Column("state", "text", "building, starting, ready, idle or failing."),
        Column("reason", "text", "Why it fails; empty for one that does not."), Column("revision", "integer"),
        Column("runtime", "text"), Column("lang", "text"), Column("image", "text"),
        Column("desired_replicas", "integer"), Column("ready_replicas", "integer"),
        Column("invocations", "integer", "Calls that ended, ever."),
        Column("cpu_s", "real", "Since the control plane started."), Column("memory_bytes", "integer"),
        Column("timeout_s", "real"), Column("memory_limit_bytes", "integer"),
        Column("labels", "text", "A JSON object."),
        Column("created", "text"), Column("updated", "text"),
        Column("created_unix_ms", "integer"), Column("updated_unix_ms", "integer"),
    ),
)  # fmt: skip
REVISIONS = Published(
    name="revisions",
    about="What functions were and are, as far as it is kept.",
    columns=(
        _NAMESPACE, _FUNCTION, Column("number", "integer"), Column("role", "text", "serving, candidate or kept."),
        Column("runtime", "text"), Column("lang", "text"), Column("image", "text"), Column("timeout_s", "real"),
        Column("memory_limit_bytes", "integer"), Column("created", "text"), Column("created_unix_ms", "integer"),
    ),
)  # fmt: skip
REPLICAS = Published(
    name="replicas",
    about="Replicas that there are now.",
    columns=(
        _NAMESPACE, _FUNCTION, Column("id", "text"), Column("phase", "text"), Column("revision", "integer"),
        Column("cpu_s", "real"), Column("memory_bytes", "integer"), Column("started", "text"),
        Column("started_unix_ms", "integer"),
    ),
)  # fmt: skip
TRIGGERS = Published(
    name="triggers",
    about="Triggers, and how they do; counts are since the control plane started.",
    columns=(
        _NAMESPACE, Column("name", "text"), Column("kind", "text", "cron, webhook, kafka, …"),
        Column("function", "text"), Column("flow", "text"), Column("paused", "integer"), Column("state", "text"),
        Column("trouble", "text", "The last thing that went wrong."), Column("delivered", "integer"),
        Column("filtered", "integer"), Column("failed", "integer"), Column("last", "text", "When the last event came."),
        Column("created", "text"), Column("created_unix_ms", "integer"),
    ),
)  # fmt: skip
TABLES: tuple[Published, ...] = (
    CALLS, LOGS, ROLLUPS, METRICS, USAGE, FUNCTIONS, REVISIONS, REPLICAS, TRIGGERS, FLOW_RUNS, AUDIT,
)  # fmt: skip


def tables_for(*, is_admin: bool) -> tuple[Published, ...]:
    """Return those that a credential may ask, of an administrator or of somebody else."""
    return tuple(each for each in TABLES if is_admin or not each.is_for_admins)


def named_in(sql: str) -> frozenset[str]:
    """Return the tables whose names occur in the text: all that the query asks, and perhaps some more.

    No spelling of a table's name in SQLite's dialect does without its letters one after the other.
    """
    lowered = sql.lower()
    return frozenset(each.name for each in TABLES if each.name in lowered)
