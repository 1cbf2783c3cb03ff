"""Queries that come with Dayfly: what is asked of every platform sooner or later."""

from dayfly.model.query import SavedQuery

_QUERIES = {
    "slowest-functions": (
        "Functions by how long their calls took at the 95th percentile, of the last day",
        """
        SELECT namespace, function, count(*) AS calls, round(percentile(total_ms, 50), 1) AS p50_ms,
          round(percentile(total_ms, 95), 1) AS p95_ms, round(max(total_ms), 1) AS max_ms
        FROM calls WHERE started >= datetime('now', '-1 day')
        GROUP BY namespace, function ORDER BY p95_ms DESC LIMIT 50
        """,
    ),
    "slowest-calls": (
        "The slowest calls of the last day",
        """
        SELECT started, namespace, function, id, status, round(total_ms, 1) AS total_ms, round(wait_ms, 1) AS wait_ms,
          round(init_ms, 1) AS init_ms, round(run_ms, 1) AS run_ms, cold
        FROM calls WHERE started >= datetime('now', '-1 day') ORDER BY total_ms DESC LIMIT 100
        """,
    ),
    "errors-by-day": (
        "How many calls of each function failed on each day, of the last thirty",
        """
        SELECT substr(at, 1, 10) AS day, namespace, function, sum(calls) AS calls, sum(failed) AS failed,
          round(100.0 * sum(failed) / sum(calls), 2) AS failed_percent
        FROM rollups WHERE span = 'hour' AND at >= date('now', '-30 days')
        GROUP BY 1, 2, 3 ORDER BY day DESC, failed_percent DESC, namespace, function
        """,
    ),
    "errors-by-reason": (
        "Why calls failed in the last day",
        """
        SELECT namespace, function, error, status, count(*) AS calls, max(started) AS last
        FROM calls WHERE error <> '' AND started >= datetime('now', '-1 day')
        GROUP BY 1, 2, 3, 4 ORDER BY calls DESC LIMIT 200
        """,
    ),
    "cold-starts": (
        "How often and how long calls waited for a replica to start, of the last week",
        """
        SELECT namespace, function, count(*) AS calls, sum(cold) AS cold, round(100.0 * avg(cold), 2) AS cold_percent,
          round(percentile(CASE WHEN cold THEN init_ms END, 50), 1) AS p50_ms,
          round(percentile(CASE WHEN cold THEN init_ms END, 95), 1) AS p95_ms
        FROM calls WHERE started >= datetime('now', '-7 days')
        GROUP BY namespace, function HAVING sum(cold) > 0 ORDER BY cold DESC LIMIT 100
        """,
    ),
    "cost-by-namespace": (
        "What namespaces used and cost on each day, of the last thirty",
        """
        SELECT substr(at, 1, 10) AS day, namespace, sum(calls) AS calls, round(sum(cpu_seconds), 3) AS cpu_seconds,
          round(sum(gib_seconds), 3) AS gib_seconds, round(sum(cost), 6) AS cost, currency
        FROM usage WHERE at >= date('now', '-30 days') GROUP BY 1, 2 ORDER BY day DESC, cost DESC, namespace
        """,
    ),
    "cost-by-function": (
        "What functions used and cost in the last thirty days",
        """
        SELECT namespace, function, sum(calls) AS calls, round(sum(cpu_seconds), 3) AS cpu_seconds,
          round(sum(gib_seconds), 3) AS gib_seconds, round(sum(cost), 6) AS cost, currency
        FROM usage WHERE at >= date('now', '-30 days') GROUP BY 1, 2 ORDER BY cost DESC, cpu_seconds DESC LIMIT 200
        """,
    ),
    "noisy-loggers": (
        "Functions by how much they logged in the last day",
        """
        SELECT namespace, function, count(*) AS lines, sum(length(text)) AS characters,
          sum(level IN ('error', 'fatal')) AS errors
        FROM logs WHERE at >= datetime('now', '-1 day') GROUP BY 1, 2 ORDER BY characters DESC LIMIT 50
        """,
    ),
    "latest-errors": (
        "The latest lines of logs that tell of an error",
        """
        SELECT at, namespace, function, level, text, replica, call_id FROM logs
        WHERE level IN ('error', 'fatal') ORDER BY number DESC LIMIT 200
        """,
    ),
    "busiest-hours": (
        "Calls in each hour of the last week",
        """
        SELECT at, namespace, sum(calls) AS calls, sum(failed) AS failed,
          round(1000.0 * sum(seconds) / sum(calls), 1) AS mean_ms
        FROM rollups WHERE span = 'hour' AND at >= datetime('now', '-7 days') GROUP BY 1, 2 ORDER BY at DESC, namespace
        """,
    ),
    "unused-functions": (
        "Functions that nothing called in the last thirty days",
        """
        SELECT f.namespace, f.name, f.state, f.invocations, f.updated FROM functions f
        LEFT JOIN (SELECT namespace, function, sum(calls) AS calls FROM usage WHERE at >= date('now', '-30 days')
          GROUP BY 1, 2) u ON u.namespace = f.namespace AND u.function = f.name
        WHERE coalesce(u.calls, 0) = 0 ORDER BY f.updated
        """,
    ),
    "failing-triggers": (
        "Triggers that have trouble, or lost events",
        """
        SELECT namespace, name, kind, state, trouble, delivered, failed, last FROM triggers
        WHERE trouble <> '' OR failed > 0 ORDER BY failed DESC, namespace, name
        """,
    ),
    "callers": (
        "Who called what in the last day",
        """
        SELECT namespace, function, coalesce(nullif(caller, ''), address) AS caller, count(*) AS calls,
          sum(error <> '') AS failed, max(started) AS last
        FROM calls WHERE started >= datetime('now', '-1 day') GROUP BY 1, 2, 3 ORDER BY calls DESC LIMIT 200
        """,
    ),
    "flow-runs": (
        "How runs of flows ended in the last thirty days, and how long they took",
        """
        SELECT namespace, flow, state, count(*) AS runs, round(avg(seconds), 3) AS mean_s,
          round(max(seconds), 3) AS max_s
        FROM flow_runs WHERE started >= date('now', '-30 days') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
    ),
}


def _laid_out(sql: str) -> str:
    lines = sql.strip("\n ").splitlines()
    return "\n".join(line.removeprefix(" " * 8) for line in lines)


READY_MADE: tuple[SavedQuery, ...] = tuple(
    SavedQuery(name=name, sql=_laid_out(sql), note=note, ready_made=True) for name, (note, sql) in _QUERIES.items()
)
