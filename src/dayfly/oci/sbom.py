"""What is in an image, as CycloneDX 1.6: the same image has the same document, which holds no time and no machine."""

import uuid
from typing import Any

import msgspec

from dayfly import __version__
from dayfly.oci.artefact import make_artefact
from dayfly.oci.image import images, load
from dayfly.oci.inventory import read_inventory
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor
from dayfly.oci.packages import Package, packages_in, system_of
from dayfly.oci.reference import Reference

KIND = "application/vnd.cyclonedx+json"


def bill_of(layout: Layout, descriptor: Descriptor, reference: Reference) -> bytes:
    """Return the document of an image for one platform.

    Raises InvalidRequest for an image or layer that is damaged, NotFound when part of it is not here.
    """
    image = load(layout, descriptor)
    files, unread = read_inventory(layout, image)
    system = system_of(files)
    components = [_component(package) for package in packages_in(files)]
    if system.get("ID"):
        about = {"name": system["ID"], "version": system.get("VERSION_ID", "")}
        components.insert(0, {"type": "operating-system", "bom-ref": f"os:{system['ID']}", **about})
    digest = descriptor.digest
    name = f"{reference.registry}/{reference.repository}"
    subject: dict[str, Any] = {
        "type": "container",
        "bom-ref": f"image:{digest}",
        "name": name,
        "version": digest,
        "hashes": [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}],
        "properties": [_property("platform", str(image.config.platform))],
    }
    subject["properties"] += [_property("unread-layer", layer) for layer in unread]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'oci:{digest}')}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "dayfly", "version": __version__}]},
            "component": subject,
        },
        "components": components,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1)


def attach_bills(layout: Layout, entry: Descriptor, reference: Reference) -> list[Descriptor]:
    """Keep the documents of an image, one a platform, and return their manifests, each with its image as subject."""
    return [make_artefact(layout, each, KIND, bill_of(layout, each, reference)) for each in images(layout, entry)]


def _component(package: Package) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
    }
    if package.license_expression:
        made["licenses"] = [{"expression": package.license_expression}]
    elif package.license_names:
        made["licenses"] = [{"license": {"name": name}} for name in package.license_names]
    if package.sha512:
        made["hashes"] = [{"alg": "SHA-512", "content": package.sha512}]
    if package.layer:
        made["properties"] = [_property("layer", package.layer)]
    return made


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"dayfly:{name}", "value": value}
