"""Making a replica's two containers: its porter's, which is started at once, and its own, which is not yet."""

import os

import msgspec

from dayfly.model.errors import NotSupported, Unavailable
from dayfly.model.image import ROOT_ANNOTATION
from dayfly.model.replica import StartOrder
from dayfly.providers.docker import calls, container, images
from dayfly.providers.docker.engine import Engine
from dayfly.providers.docker.folders import Folder


class Made(msgspec.Struct, frozen=True):
    """A replica's container, ready to be started."""

    container: str
    """Its id."""
    stop_signal: str
    note: str
    """What may explain that it will not work, should it not."""


async def make(engine: Engine, place: container.Place, porter_image: str, order: StartOrder, folder: Folder) -> Made:
    """Make both containers and start the porter's.

    Raises Refusal, Unavailable, NotSupported for an image that would be root without leave.
    """
    image = await images.find(engine, order.image)
    if image is None:
        raise Unavailable(f"the engine does not have the image {order.image} any more; it is pulled anew")
    hosts = container.exits(order)[0].hosts_file(order.replica)
    folder.make(place.porter_becomes if os.geteuid() == 0 else None, hosts, order.secrets)
    name, porter_name = container.names(place, order.replica)
    porter = container.porter(place, order, porter_image, str(folder.sockets))
    porter_id = await calls.create(engine, porter_name, porter)
    await calls.start(engine, porter_id)
    user, note = _user(order, image)
    secrets = str(folder.secrets) if order.secrets else ""
    wanted = container.function(
        place, order, image, porter_id=porter_id, user=user, hosts=str(folder.hosts), secrets=secrets
    )
    identity = await calls.create(engine, name, wanted)
    if not (user or order.as_root):
        await _refuse_root(engine, identity, image.user)
    return Made(identity, image.stop_signal, note)


def _user(order: StartOrder, image: images.Image) -> tuple[str, str]:
    """Return who the function runs as, empty for whom its image names, and what to say of it should it fail."""
    if order.as_root or not container.is_root(image.user):
        return "", ""
    user = container.own_user(order)
    named = f"names the user {image.user}" if image.user else "names no user"
    return user, (
        f"The image {named}, so it ran as {user} and not as root;"
        f' should it need root, the annotation {ROOT_ANNOTATION}: "true" grants it'
    )


async def _refuse_root(engine: Engine, identity: str, user: str) -> None:
    """Refuse an image whose user is root by another name. Raises NotSupported, Refusal, Unavailable."""
    name = user.partition(":")[0]
    if name.isdigit():
        return
    accounts = await calls.read_file(engine, identity, "/etc/passwd")
    if container.uid_in(accounts.decode(errors="replace").splitlines(), name) == 0:
        raise NotSupported(
            f"the image's user {name} is root by another name, which no function is unless its annotation"
            f' {ROOT_ANNOTATION}: "true" grants it'
        )
