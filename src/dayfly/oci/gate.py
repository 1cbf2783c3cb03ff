"""What happens to an image before it leaves the machine: looked through, described, signed. `registry.push` asks here.

Of an image that `dayfly build` made, the base's layers are somebody else's and public already; they are not looked
through. What was accepted when it was built is in a label, and counts here too.
"""

from collections.abc import Callable, Iterable, Sequence

from dayfly.oci.assemble import BUILT_BY
from dayfly.oci.image import Image, images, load
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor
from dayfly.oci.reference import Reference
from dayfly.oci.sbom import attach_bills
from dayfly.oci.scan import ALLOWED_LABEL, Allowance, Scan, allowances_in
from dayfly.oci.signature import sign
from dayfly.oci.signing_key import SigningKey

Gate = Callable[[Layout, Descriptor, Reference], Sequence[Descriptor]]


def make_gate(
    *, allowed: Iterable[Allowance] = (), key: SigningKey | None = None, with_bill: bool = True,
    told: Callable[[str], None] = lambda _: None,
) -> Gate:  # fmt: skip
    """Return a gate that refuses credentials, and adds a bill of materials and a signature.

    `told` gets a line for each archive that was not looked into.
    """
    accepted = tuple(allowed)

    def pass_through(layout: Layout, entry: Descriptor, reference: Reference) -> Sequence[Descriptor]:
        for each in images(layout, entry):
            refuse_credentials(layout, load(layout, each), accepted, told)
        companions = attach_bills(layout, entry, reference) if with_bill else []
        if key is not None:
            companions.append(sign(layout, entry, reference, key))
        return companions

    return pass_through


def refuse_credentials(
    layout: Layout, image: Image, allowed: Sequence[Allowance], told: Callable[[str], None] = lambda _: None
) -> None:
    """Look for credentials in what is ours of an image, and in its settings. Raises InvalidRequest for a find."""
    scan = Scan()
    for layer in own_layers(image):
        with layout.path(layer).open("rb") as file:
            scan.layer(file)
    run = image.config.run
    scan.variables("env", run.environment)
    scan.variables("label", run.labels or {})
    for each in scan.unread:
        told(f"not looked into: {each}")
    labelled = allowances_in((run.labels or {}).get(ALLOWED_LABEL, ""))
    scan.refuse((*allowed, *labelled), f"the image {image.descriptor.digest[:19]}…")


def own_layers(image: Image) -> list[Descriptor]:
    """Return the layers that are to be looked through: those `dayfly build` added, or all where it added none."""
    history = [each for each in image.config.history or [] if not each.empty_layer]
    ours = 0
    for each in reversed(history):
        if each.created_by != BUILT_BY:
            break
        ours += 1
    layers = image.manifest.layers
    return layers[-ours:] if 0 < ours <= len(layers) else list(layers)
