"""Small images for the tests, made by hand so that nothing under test is believed."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from dayfly.oci.layout import Layout
from dayfly.oci.manifest import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor

NAME = "registry.example.com/team/hello:1"


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return out.getvalue()


def config_of(*layers: bytes, architecture: str = "amd64", **run: Any) -> bytes:
    about = {
        "architecture": architecture,
        "os": "linux",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
    }
    return json.dumps(about).encode()


def put_image(layout: Layout, *layers: bytes, architecture: str = "amd64", name: str = NAME, **run: Any) -> Descriptor:
    """Put an image of these unpacked layers into the layout, and name it unless the name is empty."""
    config = layout.put(config_of(*layers, architecture=architecture, **run), OCI_CONFIG)
    packed = [layout.put(gzip.compress(layer, mtime=0), OCI_LAYER_GZIP) for layer in layers]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": about(config),
        "layers": [about(blob) for blob in packed],
    }
    image = layout.put(json.dumps(manifest).encode(), OCI_MANIFEST)
    if name:
        layout.name(image, name)
    return image


def about(blob: Descriptor, **more: Any) -> dict[str, Any]:
    return {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size, **more}


def blob_file(layout: Layout, blob: Descriptor) -> Path:
    return layout.folder / "blobs" / "sha256" / blob.digest[7:]


def saved(files: dict[str, bytes], items: list[dict[str, Any]]) -> bytes:
    """What `docker save` of Docker 20.10 would write of these."""
    return tar_of({**files, "manifest.json": json.dumps(items).encode()})
