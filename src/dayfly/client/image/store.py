"""Where built images are until they are pushed, loaded or written out, and bases so that they are fetched once.

An image layout in the user's cache folder: `images/`. Images have their whole reference as name.
"""

from pathlib import Path

from dayfly.client.build_cache import default_cache_dir
from dayfly.oci.layout import Layout


def store_folder() -> Path:
    """Return the folder of this account's images."""
    return default_cache_dir() / "images"


def image_store() -> Layout:
    """Return this account's images; makes the folder. Raises ConfigError when it cannot be used."""
    return Layout.create(store_folder())
