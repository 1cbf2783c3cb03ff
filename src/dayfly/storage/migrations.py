"""The layout of the state database, as the numbered steps that lead to it.

A step is never changed once released; a new layout is a new step. The number of steps taken is the database's
`user_version`. A field added to `FunctionSpec` is a new layout too, even when its step does nothing: an older Dayfly
could not read such a spec and must refuse the database as a whole instead of failing at one row.
"""

STEPS = (
    """
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
    # Rollouts: a revision that is to take over (its number and, as JSON, its canary), how the last one ended, and which
    # revisions have served; before there were rollouts, each did.
    """
    ALTER TABLE functions ADD COLUMN candidate INTEGER;
    ALTER TABLE functions ADD COLUMN canary TEXT;
    ALTER TABLE functions ADD COLUMN outcome TEXT;
    ALTER TABLE revisions ADD COLUMN served INTEGER NOT NULL DEFAULT 1;
    """,
)
