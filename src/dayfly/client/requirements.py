"""What a handler's packages are where its template brought one that the author did not have to name.

OpenFaaS's templates python3-flask and python3-http have Flask in their images. A handler made for them may import it
without a word in requirements.txt; here, where there is no image, the word is added.
"""

from pathlib import Path

from dayfly.client.walk import Walk
from dayfly.model import flask

REQUIREMENTS = "requirements.txt"


def with_flask(folder: Path) -> bytes | None:
    """Return the folder's requirements.txt with Flask in it; None where that is named already, or not imported.

    Raises InvalidRequest for a folder that cannot be packed.
    """
    if not folder.is_dir():
        return None
    sources = (each.path for each in Walk(folder).entries() if not each.is_folder and each.name.endswith(".py"))
    given = folder / REQUIREMENTS
    return flask.with_flask((path.read_bytes() for path in sources), given.read_bytes() if given.is_file() else b"")
