"""The layout of the state database: the numbered steps that lead to it and, where there is one, the way back.

A step is never changed once released; a new layout is a new step. The number of steps taken is the database's
`user_version`. A field added to `FunctionSpec` is a new layout too, even when its step does nothing: an older Dayfly
could not read such a spec and must refuse the database as a whole instead of failing at one row; its way back must take
the field out of every spec. The same goes for `RouteSpec`, `TriggerSpec`, `FlowSpec` and `BudgetSpec`.
"""

from typing import NamedTuple


class Step(NamedTuple):
    """One step: the first version that takes it, and SQL for either direction."""

    since: str
    up: str
    down: str | None
    """Restores the layout before, with all that it can hold; None when nobody can go back behind this step."""


STEPS: tuple[Step, ...] = (
    Step(
        since="0.1.0",
        up="""
        CREATE TABLE functions (
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            revision INTEGER NOT NULL,
            created_unix_ms INTEGER NOT NULL,
            replicas INTEGER,
            PRIMARY KEY (namespace, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE revisions (
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            number INTEGER NOT NULL,
            created_unix_ms INTEGER NOT NULL,
            spec TEXT NOT NULL,
            PRIMARY KEY (namespace, name, number)
        ) STRICT;
        CREATE TABLE totals (
            name TEXT PRIMARY KEY,
            calls INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """,
        down=None,
    ),
    # Rollouts: a revision that is to take over (its number and, as JSON, its canary), how the last one ended, and which
    # revisions have served; before there were rollouts, each did. The way back ends rollouts, and takes the revisions
    # after the one that serves along: the layout before gives their numbers out anew.
    Step(
        since="0.2.0",
        up="""
        ALTER TABLE functions ADD COLUMN candidate INTEGER;
        ALTER TABLE functions ADD COLUMN canary TEXT;
        ALTER TABLE functions ADD COLUMN outcome TEXT;
        ALTER TABLE revisions ADD COLUMN served INTEGER NOT NULL DEFAULT 1;
        """,
        down="""
        DELETE FROM revisions WHERE number > (
            SELECT f.revision FROM functions f WHERE (f.namespace, f.name) = (revisions.namespace, revisions.name)
        );
        ALTER TABLE revisions DROP COLUMN served;
        ALTER TABLE functions DROP COLUMN outcome;
        ALTER TABLE functions DROP COLUMN canary;
        ALTER TABLE functions DROP COLUMN candidate;
        """,
    ),
    # FunctionSpec has `network` and `allow`. The way back gives every function the network that the layout before knew.
    Step(
        since="0.2.0",
        up="SELECT 1;",
        down="UPDATE revisions SET spec = json_remove(spec, '$.network', '$.allow');",
    ),
    # FunctionSpec has `runtime`. The way back leaves those of other runtimes as Python functions that will not start.
    Step(
        since="0.2.0",
        up="SELECT 1;",
        down="UPDATE revisions SET spec = json_remove(spec, '$.runtime');",
    ),
    # FunctionSpec has `debug`. The way back leaves such functions as any other: they tell their callers less.
    Step(
        since="0.2.0",
        up="SELECT 1;",
        down="UPDATE revisions SET spec = json_remove(spec, '$.debug');",
    ),
    # Secrets, encrypted with a data key for each namespace, and these with a key that is not in here; `installation`
    # names the file that holds it. The layout before has no place for any of it: the copy that is kept does.
    Step(
        since="0.2.0",
        up="""
        CREATE TABLE installation (id TEXT NOT NULL) STRICT;
        INSERT INTO installation VALUES (lower(hex(randomblob(8))));
        CREATE TABLE secret_keys (
            namespace TEXT PRIMARY KEY,
            wrapped_with TEXT NOT NULL,
            wrapped BLOB NOT NULL,
            version INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE secrets (
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            created_unix_ms INTEGER NOT NULL,
            updated_unix_ms INTEGER NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (namespace, name)
        ) STRICT;
        """,
        down="DROP TABLE secrets; DROP TABLE secret_keys; DROP TABLE installation;",
    ),
    # What the image of each revision was found to be. On the way back nothing needs it: there are no image functions.
    Step(
        since="0.2.0",
        up="ALTER TABLE revisions ADD COLUMN image TEXT NOT NULL DEFAULT '';",
        down="ALTER TABLE revisions DROP COLUMN image;",
    ),
    # Namespaces are tenants, with tokens, and with bundles that are theirs. Those that hold functions or secrets are
    # there from the start, and may use the code they ran. FunctionSpec has `max_body` and `max_log_rate`. The way back
    # leaves functions in the namespaces they are in, and nothing that keeps tenants apart.
    Step(
        since="0.2.0",
        up="""
        CREATE TABLE namespaces (
            name TEXT PRIMARY KEY,
            created_unix_ms INTEGER NOT NULL,
            labels TEXT NOT NULL,
            annotations TEXT NOT NULL,
            quota TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        INSERT INTO namespaces
            SELECT namespace, min(created_unix_ms), '{}', '{}', '{}' FROM functions GROUP BY namespace;
        INSERT OR IGNORE INTO namespaces
            SELECT namespace, min(created_unix_ms), '{}', '{}', '{}' FROM secrets GROUP BY namespace;
        INSERT OR IGNORE INTO namespaces
            VALUES ('openfaas-fn', CAST(strftime('%s', 'now') AS INTEGER) * 1000, '{}', '{}', '{}');
        CREATE TABLE tokens (
            id TEXT PRIMARY KEY,
            namespace TEXT,
            role TEXT NOT NULL,
            note TEXT NOT NULL,
            created_unix_ms INTEGER NOT NULL,
            expires_unix_ms INTEGER NOT NULL,
            hash BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE bundles (
            namespace TEXT NOT NULL,
            digest TEXT NOT NULL,
            PRIMARY KEY (namespace, digest)
        ) STRICT, WITHOUT ROWID;
        INSERT OR IGNORE INTO bundles SELECT namespace, json_extract(spec, '$.bundle') FROM revisions
            WHERE CASE WHEN json_valid(spec) THEN json_extract(spec, '$.bundle') != '' END;
        """,
        down="""
        DROP TABLE bundles;
        DROP TABLE tokens;
        DROP TABLE namespaces;
        UPDATE revisions SET spec = json_remove(spec, '$.max_body', '$.max_log_rate');
        """,
    ),
    # Routes, as JSON, and the hosts that namespaces may use in them; an empty host is any. The layout before has no
    # place for them: functions are called by their names again.
    Step(
        since="0.2.0",
        up="""
        CREATE TABLE routes (
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            created_unix_ms INTEGER NOT NULL,
            updated_unix_ms INTEGER NOT NULL,
            spec TEXT NOT NULL,
            PRIMARY KEY (namespace, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE hosts (
            host TEXT NOT NULL,
            namespace TEXT NOT NULL,
            PRIMARY KEY (host, namespace)
        ) STRICT, WITHOUT ROWID;
        """,
        down="DROP TABLE hosts; DROP TABLE routes;",
    ),
    # What images' names mean that were built here, as JSON. The way back forgets them; what was deployed of them stays.
    Step(
        since="0.2.0",
        up="""
        CREATE TABLE built_images (
            namespace TEXT NOT NULL,
            image TEXT NOT NULL,
            built_unix_ms INTEGER NOT NULL,
            code TEXT NOT NULL,
            PRIMARY KEY (namespace, image)
        ) STRICT, WITHOUT ROWID;
        """,
        down="DROP TABLE built_images;",
    ),
    # Triggers, as JSON, and up to which result functions' ends were told of. The way back forgets them.
    Step(
        since="0.2.0",
        up="""
        CREATE TABLE triggers (
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            created_unix_ms INTEGER NOT NULL,
            updated_unix_ms INTEGER NOT NULL,
            spec TEXT NOT NULL,
            PRIMARY KEY (namespace, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE followed (position INTEGER NOT NULL) STRICT;
        """,
        down="DROP TABLE followed; DROP TABLE triggers;",
    ),
    # Flows, as JSON; their runs have a file of their own. The way back forgets them.
    Step(
        since="0.2.0",
        up="""
        CREATE TABLE flows (
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            created_unix_ms INTEGER NOT NULL,
            updated_unix_ms INTEGER NOT NULL,
            spec TEXT NOT NULL,
            PRIMARY KEY (namespace, name)
        ) STRICT;
        """,
        down="DROP TABLE flows;",
    ),
    # Functions that are the code of a flow. The way back leaves them to be looked at: called, they fail in words.
    Step(
        since="0.2.0",
        up="SELECT 1;",
        down="""
        UPDATE revisions SET spec = json_set(spec, '$.dialect', 'auto') WHERE json_extract(spec, '$.dialect') = 'flow';
        DELETE FROM flows WHERE spec LIKE '%"do":"code"%';
        """,
    ),
    # Saved queries; the namespace is empty for those of the installation. Tokens may have the role `query`. The way
    # back forgets both: the version before would not start with a role that it does not know.
    Step(
        since="0.2.0",
        up="""
        CREATE TABLE queries (
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            created_unix_ms INTEGER NOT NULL,
            updated_unix_ms INTEGER NOT NULL,
            sql TEXT NOT NULL,
            note TEXT NOT NULL,
            PRIMARY KEY (namespace, name)
        ) STRICT;
        """,
        down="DROP TABLE queries; DELETE FROM tokens WHERE role = 'query';",
    ),
    # Rules of alerts, silences, receivers and reports, as JSON, and how far each got. The way back forgets them.
    Step(
        since="0.2.0",
        up="""
        CREATE TABLE watch (
            kind TEXT NOT NULL,
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (kind, namespace, name)
        ) STRICT, WITHOUT ROWID;
        """,
        down="DROP TABLE watch;",
    ),
    # Budgets of their own, as JSON. The way back forgets them; what annotations state stays.
    Step(
        since="0.2.0",
        up="""
        CREATE TABLE budgets (
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            created_unix_ms INTEGER NOT NULL,
            updated_unix_ms INTEGER NOT NULL,
            spec TEXT NOT NULL,
            PRIMARY KEY (namespace, name)
        ) STRICT, WITHOUT ROWID;
        """,
        down="DROP TABLE budgets;",
    ),
)
