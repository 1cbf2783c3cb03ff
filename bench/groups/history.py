"""What history and records cost together: warm calls of a no-op on two platforms, one as it is by itself, one that
keeps nothing, in turn. As in `records` the processor time for a call tells; loads are as long as figures are apart, so
that each has one sampling in it.
"""

from bench.book import Lab
from bench.groups.records import compare
from dayfly.observe.history.tiers import SAMPLE_S

_OFF = {"DAYFLY_RECORDS": "off", "DAYFLY_HISTORY": "off"}


def measure(lab: Lab) -> None:
    """Measure the group."""
    compare(lab, _OFF, "records and history", seconds=max(lab.plan.load_s, SAMPLE_S))
