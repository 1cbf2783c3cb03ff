"""Template stores: who has a template of a name, and getting it from there."""

import os
from collections.abc import Mapping
from pathlib import Path

from dayfly.client.store import templates_at
from dayfly.client.template_pull import Pulled, Unpack, pull
from dayfly.client.templates import built_in
from dayfly.model.errors import NotFound
from dayfly.model.store import StoreTemplate

OPENFAAS_STORE = "https://raw.githubusercontent.com/openfaas/store/master/templates.json"
STORE_VARIABLE = "OPENFAAS_TEMPLATE_STORE_URL"
SOURCE = "dayfly"
"""Who ours come from, in a list."""
_RECOMMENDED = ("dockerfile", "go", "node", "python", "static")


def list_templates(url: str = "") -> tuple[StoreTemplate, ...]:
    """Return the templates of the store at `url`, ours when it is empty: recommended ones first, then official ones.

    Raises InvalidRequest, Unavailable, InvalidSpec when there is no such list.
    """
    found = templates_at(url) if url else _ours()
    return tuple(sorted(found, key=lambda each: (not each.recommended, each.official != "true", each.template.lower())))


def find_in_store(templates: tuple[StoreTemplate, ...], name: str) -> StoreTemplate:
    """Return the template that `NAME`, `NAME@REF` or `SOURCE/NAME` means. Raises NotFound."""
    wanted = name.partition("@")[0]
    for each in templates:
        if wanted in (each.template, f"{each.source}/{each.template}"):
            return each
    hint = "`dayfly template store list` shows what it has."
    raise NotFound(f"template with name: `{name[:80]}` does not exist in the store", hint=hint)


def store_url(given: str = "", environ: Mapping[str, str] | None = None) -> str:
    """Return the store that is meant: the one given, else that of the environment; empty for ours."""
    return given or (os.environ if environ is None else environ).get(STORE_VARIABLE, "")


def pull_from_store(name: str, url: str, project: Path, unpack: Unpack, *, overwrite: bool = True) -> Pulled:
    """Pull the repository that has the template `NAME`, `NAME@REF` or `SOURCE/NAME`; nothing when it is one of ours.

    Raises NotFound, and what `pull` raises.
    """
    found = find_in_store(list_templates(url), name)
    if not found.repo:
        return Pulled(())
    ref = name.partition("@")[2]
    repository = found.repo.partition("#")[0] if ref else found.repo
    return pull(f"{repository}#{ref}" if ref else repository, project, unpack, overwrite=overwrite)


def _ours() -> tuple[StoreTemplate, ...]:
    return tuple(
        StoreTemplate(
            template=each.name, language=each.name, source=SOURCE, official="true", description=_described(each.needs),
            recommended=each.name in _RECOMMENDED,
        )
        for each in built_in()
    )  # fmt: skip


def _described(needs: str) -> str:
    return f"Comes with Dayfly; needs {needs}" if needs else "Comes with Dayfly"
