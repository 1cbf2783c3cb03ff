"""Which samples a query needs: for each of its selectors, of which moments."""

import msgspec

from dayfly.observe.promql.nodes import Node, Selector, Subquery, parts


class Reach(msgspec.Struct, frozen=True):
    """Moments in milliseconds since 1970, from the first to the last, `step_ms` apart; 0 for one alone."""

    first_ms: int
    last_ms: int
    step_ms: int = 0


def reaches(node: Node, asked: Reach) -> dict[Selector, Reach]:
    """Return the selectors in a tree, in the order they are written, and the moments that each is asked of.

    What a range or a value that holds on reach back from these is not in it.
    """
    if isinstance(node, Selector | Subquery):
        fixed = node.fixed_ms is not None
        asked = Reach(node.moment(asked.first_ms), node.moment(asked.last_ms), 0 if fixed else asked.step_ms)
    if isinstance(node, Selector):
        return {node: asked}
    if isinstance(node, Subquery):
        asked = Reach(asked.first_ms - node.range_ms, asked.last_ms, node.every_ms)
    return {selector: reach for part in parts(node) for selector, reach in reaches(part, asked).items()}
