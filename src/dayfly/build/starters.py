"""What a function can begin with that is written in a page: the templates whose handlers run as they are.

Those that have to be compiled, or that need files around the handler which nobody edits, are for the command line. What
a template says of itself in its template.yml is for people and read as text: the format is the client's to know.
"""

import functools
import re
from importlib.resources.abc import Traversable

from dayfly.build.context import TEMPLATES, Template
from dayfly.catalog.templates import template_folders
from dayfly.model.source import Starter, StarterFile

_FOLDER = "function"
_ABOUT = re.compile(r"(?m)^welcome_message: \|\n  You have created (.+)$")
_NEEDS = re.compile(r'(?m)^  needs: "(.*)"$')
_FIRST = ("python", "python-typed", "python-classic", "asgi", "wsgi", "node")
"""What is offered before the others."""


@functools.cache
def starters() -> tuple[Starter, ...]:
    """Return them, those that most people want first."""
    of_name = {name: template for template in TEMPLATES if not template.whole for name in template.names}
    found = [_starter(folder, of_name[name]) for name, folder in template_folders().items() if name in of_name]
    order = {name: place for place, name in enumerate(_FIRST)}
    return tuple(sorted(found, key=lambda each: (order.get(each.name, len(order)), each.name)))


def _starter(folder: Traversable, template: Template) -> Starter:
    about = (folder / "template.yml").read_text()
    said, needs = _ABOUT.search(about), _NEEDS.search(about)
    words = said[1] if said else f"a function of the template {folder.name}"
    return Starter(
        name=folder.name,
        description=words[:1].upper() + words[1:],
        needs=needs[1] if needs else "",
        runtime=template.runtime,
        dialect=template.dialect,
        process=template.process,
        env=template.env,
        files=tuple(
            StarterFile(path=file.name, text=file.read_text())
            for file in sorted((folder / _FOLDER).iterdir(), key=lambda each: each.name)
            if file.is_file() and not file.name.endswith(".pyc")
        ),
    )
