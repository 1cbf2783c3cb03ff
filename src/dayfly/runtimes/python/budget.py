"""The memory that idle templates may keep, so that functions nobody calls cost nothing for long."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from dayfly.runtimes.python import processes
from dayfly.runtimes.python.family import Template
from dayfly.runtimes.python.reactor import Reactor

_log = logging.getLogger("dayfly.runtimes.zygote")

WEIGH_AFTER_S = 0.3
"""How long after a template was last needed its memory is measured."""


class Budget:
    """Weighs templates, and ends idle ones, the one unused for longest first, until the rest is within the budget."""

    def __init__(
        self, reactor: Reactor, templates: Mapping[str, Template], end: Callable[[Template], None], budget_bytes: int
    ) -> None:
        self._reactor = reactor
        self._templates = templates
        self._end = end
        self._bytes = budget_bytes

    def weigh_later(self, template: Template) -> None:
        """Measure a template when nobody waits for us: adding up its pages takes the kernel milliseconds."""
        if not template.to_be_weighed:
            template.to_be_weighed = True
            self._reactor.call_later(WEIGH_AFTER_S, lambda: self._weigh(template))

    def _weigh(self, template: Template) -> None:
        template.to_be_weighed = False
        if self._templates.get(template.name) is not template:
            return
        weigh = processes.memory_of if template.replicas else processes.memory_of_tree
        template.memory_bytes = weigh(template.pid)
        for surplus in over_budget(self._templates.values(), self._bytes):
            _log.info("template %s evicted, %d bytes", surplus.name[:12], surplus.memory_bytes)
            self._end(surplus)


def over_budget(templates: Iterable[Template], budget_bytes: int) -> Iterator[Template]:
    """Yield idle templates, the one unused for longest first, until the rest is within the budget."""
    oldest_first = sorted(templates, key=lambda template: template.used)
    held = sum(template.memory_bytes for template in oldest_first)
    for template in oldest_first:
        if held <= budget_bytes:
            return
        if template.imported and not template.replicas:
            held -= template.memory_bytes
            yield template
