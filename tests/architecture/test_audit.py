"""No change goes past the audit log: handlers are called in two places, and what is not told of has a reason here."""

import ast
from pathlib import Path

from dayfly.server.apps import CONSOLE_ROUTES, METRICS_ROUTES, OPEN_METRICS_ROUTES, PUBLIC_ROUTES

SOURCE = Path(__file__).resolve().parent.parent.parent / "src" / "dayfly"
_READ = ("public", "look")
CALLERS = {"api/asgi.py": "questions and calls", "api/auditing.py": "changes"}
NO_CHANGES = {
    "POST /hooks/{namespace}/{name}": "a call, with a record of its own",
    "POST /v1/namespaces/{namespace}/events": "calls",
    "POST /v1/namespaces/{namespace}/functions/{name}/invoke": "a call",
    "POST /v1/namespaces/{namespace}/flows/{name}/runs": "a run of a flow, with a log of its own",
    "POST /v1/namespaces/{namespace}/flow-runs/{run}/events/{event}": "an event for a run, in that one's log",
    "POST /v1/namespaces/{namespace}/flow-runs/{run}/rerun": "a run of a flow",
    "DELETE /v1/namespaces/{namespace}/flow-runs/{run}": "the end of a run, in that one's log",
    "DELETE /v1/calls/{call}": "the end of a call",
}
"""Requests by another method than GET that change nothing that should be. Those that may be sent without a credential,
as the clone of the templates, and those of who may look, only read."""


def test_handlers_are_called_by_what_tells_of_them_and_nowhere_else() -> None:
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "handler":
                found.add(str(path.relative_to(SOURCE)))
    assert found == set(CALLERS)


def test_every_route_that_changes_something_is_told_of() -> None:
    routes = {*PUBLIC_ROUTES, *CONSOLE_ROUTES, *METRICS_ROUTES, *OPEN_METRICS_ROUTES}
    unsafe = [each for each in routes if each.method not in ("GET", "HEAD") and each.access not in _READ]
    assert len([each for each in unsafe if each.is_change]) > 30
    assert {f"{each.method} {each.path}" for each in unsafe if not each.is_change} == set(NO_CHANGES)
