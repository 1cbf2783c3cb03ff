"""The engine's containers of this installation, and the images that it has, as a person wants to see them."""

import msgspec

from dayfly.model.machine import Container, Surroundings
from dayfly.providers.docker import container
from dayfly.providers.docker.engine import Engine


class _Listed(msgspec.Struct, frozen=True, rename="pascal"):
    id: str
    names: list[str] | None = None
    image: str = ""
    state: str = ""
    labels: dict[str, str] | None = None
    created: int = 0


class _Image(msgspec.Struct, frozen=True, rename="pascal"):
    repo_tags: list[str] | None = None
    repo_digests: list[str] | None = None
    size: int = 0


async def survey(engine: Engine, installation: str) -> Surroundings:
    """Return the containers of this installation and no other's, and all images by name.

    Raises Refusal, Unavailable.
    """
    filters = {"label": [f"{container.INSTALLATION}={installation}"]}
    listed: list[_Listed] = await engine.ask(
        "GET", "/containers/json", query={"all": True, "filters": filters}, kind=list[_Listed]
    )
    images: list[_Image] = await engine.ask("GET", "/images/json", kind=list[_Image])
    mine = [each for each in listed if (each.labels or {}).get(container.INSTALLATION) == installation]
    return Surroundings(
        containers=tuple(_container(each) for each in mine),
        images={
            name: image.size
            for image in images
            for name in (*(image.repo_tags or ()), *(image.repo_digests or ()))
            if not name.startswith("<none>")
        },
    )


def _container(found: _Listed) -> Container:
    names, labels = found.names or [found.id[:12]], found.labels or {}
    return Container(
        id=found.id[:12],
        name=names[0].lstrip("/"),
        image=found.image,
        state=found.state,
        replica=labels.get(container.REPLICA, ""),
        created_unix_ms=found.created * 1000,
    )
