"""Figures of budgets for Prometheus, and of the calls that a guard cut: what alerts are made of."""

from collections.abc import Callable, Iterable, Iterator

from dayfly.model.names import FunctionKey
from dayfly.model.namespace import NamespaceStatus
from dayfly.model.status import FunctionStatus
from dayfly.observe.family import Family
from dayfly.observe.meter import Figures


def of_budgets(
    figures: Callable[[FunctionKey], Figures],
    functions: Iterable[FunctionStatus],
    namespaces: Iterable[NamespaceStatus],
) -> Iterator[Family]:
    """Yield how far each allowance is used, 1 being all of it, and how many calls were refused."""
    functions = list(functions)
    found = [each for tenant in namespaces for each in tenant.budgets]
    found += [each for status in functions for each in status.budgets]
    labels = [
        {
            "namespace": each.namespace, "function_name": f"{each.function}.{each.namespace}" if each.function else "",
            "measure": each.measure, "period": each.period, "budget": each.budget,
        }
        for each in found
    ]  # fmt: skip
    shares = (each.used / each.amount if each.amount else 1.0 for each in found)
    text = "How much of a budget is used in the present period; 1 is all of it."
    yield Family(
        "dayfly_budget_used_ratio", "gauge", text, tuple(("", *each) for each in zip(labels, shares, strict=True))
    )
    yield Family(
        "dayfly_calls_refused_total", "counter", "Calls refused because they were too deep, or a budget was used up.",
        tuple(
            ("", {"function_name": str(status.spec.key)}, figures(status.spec.key).refused)
            for status in functions
        ),
    )  # fmt: skip
