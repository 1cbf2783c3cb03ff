"""The heavy handler: numpy and pandas are imported when the module is, as people write it."""

from typing import Any

import numpy
import pandas


def handle(event: Any, context: Any) -> str:  # noqa: ARG001 - the platform calls with both
    """Answer with the sum of a small table's column, so that both libraries are really used."""
    return str(int(pandas.DataFrame({"n": numpy.arange(10)})["n"].sum()))
