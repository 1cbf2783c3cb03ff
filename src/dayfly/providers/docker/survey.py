"""The engine's containers of this installation, and the images that it has, as a person wants to see them."""

import msgspec

from dayfly.model.machine import Container, Surroundings
from dayfly.providers.docker import container
from dayfly.providers.docker.engine import Engine


class _Listed(msgspec.Struct, frozen=True, rename="pascal"):
    id: str
    names: list[str] | None = None
    image: str = ""
    image_id: str = msgspec.field(name="ImageID", default="")
    state: str = ""
    labels: dict[str, str] | None = None
    created: int = 0


class _Image(msgspec.Struct, frozen=True, rename="pascal"):
    id: str
    repo_tags: list[str] | None = None
    repo_digests: list[str] | None = None
    size: int = 0

    @property
    def names(self) -> list[str]:
        """By what it is called, the best first."""
        return [name for name in (*(self.repo_tags or ()), *(self.repo_digests or ())) if not name.startswith("<none>")]


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
    names = {image.id: image.names[0] for image in images if image.names}
    return Surroundings(
        containers=tuple(_container(each, names) for each in mine),
        images={name: image.size for image in images for name in image.names or [image.id]},
        image_names=names,
    )


def _container(found: _Listed, called: dict[str, str]) -> Container:
    names, labels = found.names or [found.id[:12]], found.labels or {}
    return Container(
        id=found.id[:12],
        name=names[0].lstrip("/"),
        # It is made of a digest, which says nothing to people.
        image=called.get(found.image_id, found.image),
        state=found.state,
        # What the porter beside it says is its own.
        replica="" if labels.get(container.ROLE) == "porter" else labels.get(container.REPLICA, ""),
        created_unix_ms=found.created * 1000,
    )
