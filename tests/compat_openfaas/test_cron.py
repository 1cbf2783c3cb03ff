"""Functions that are called by the clock, as OpenFaaS's cron connector calls them."""

from pathlib import Path

from tests.compat_openfaas.wire import Wire
from tests.system.driver import Platform, eventually

HANDLER = """
def handle(event, context):
    told = {name.lower(): value for name, value in event.headers.items()}
    print("called", event.method, told.get("x-topic"), told.get("x-connector"), repr(event.body), flush=True)
"""


def test_a_schedule_is_kept(openfaas: Platform, wire: Wire, tmp_path: Path) -> None:
    """Behaviour 49: the annotations topic=cron-function and schedule cause POSTs with X-Topic and X-Connector."""
    openfaas.deploy_function(
        tmp_path / "ticking", HANDLER, "--annotation", "topic=cron-function", "--annotation", "schedule=@every 1s"
    )
    line = "called POST cron-function cron-connector b''"
    eventually("it was called twice", lambda: openfaas.ok("logs", "ticking").count(line) >= 2)
    assert wire.function("ticking")["annotations"]["schedule"] == "@every 1s"
    openfaas.ok("remove", "ticking")


def test_a_schedule_that_cannot_be_read_is_refused(openfaas: Platform, tmp_path: Path) -> None:
    """Behaviour 49: whose schedule says nothing is told so instead of waiting for calls that never come."""
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "handler.py").write_text(HANDLER)
    done = openfaas.run(
        "deploy", "late", "--handler", str(tmp_path / "late"), "--annotation", "topic=cron-function",
        "--annotation", "schedule=soon",
    )  # fmt: skip
    assert done.code != 0
    assert "'soon' is no cron expression" in done.err
