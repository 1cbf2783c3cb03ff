"""A meme: an image with a line of text above and one below.

The body is JSON: `{"image": URL, "top": "…", "bottom": "…"}`. `image` may be a `data:` URL too, and a plain background
is taken when it is left out.
"""

import io
import urllib.error
import urllib.parse
import urllib.request

from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

Image.MAX_IMAGE_PIXELS = 50_000_000
_MOST_BYTES = 10 * 1024 * 1024
_WIDTH = 800


class Refused(Exception):
    """What was sent cannot be made a meme of."""


def handle(event, context):
    """Return the meme as a JPEG."""
    try:
        wanted = event.json()
        if not isinstance(wanted, dict):
            raise Refused("the body must be a JSON object with image, top and bottom")
        picture = _picture(str(wanted.get("image") or ""), context.remaining_s)
    except (ValueError, Refused) as error:
        return {"statusCode": 400, "body": f"{error}\n"}
    for text, at_top in ((wanted.get("top"), True), (wanted.get("bottom"), False)):
        _write(picture, str(text or "").upper(), at_top=at_top)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return {"statusCode": 200, "headers": {"Content-Type": "image/jpeg"}, "body": out.getvalue()}


def _picture(address, timeout_s):
    if not address:
        return Image.new("RGB", (_WIDTH, _WIDTH * 3 // 4), "#31456a")
    if urllib.parse.urlsplit(address).scheme not in ("http", "https", "data"):
        raise Refused("image must be an address that begins with http://, https:// or data:")
    try:
        with urllib.request.urlopen(address, timeout=max(1.0, timeout_s - 1)) as answer:
            data = answer.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise Refused(f"the image is larger than {_MOST_BYTES} bytes")
        picture = Image.open(io.BytesIO(data)).convert("RGB")
    except (urllib.error.URLError, UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise Refused(f"the image cannot be had: {getattr(error, 'reason', error)}") from error
    return picture.resize((_WIDTH, max(1, picture.height * _WIDTH // picture.width)))


def _write(picture, text, *, at_top):
    if not text:
        return
    draw = ImageDraw.Draw(picture)
    size = picture.width // 9
    while size > 12 and draw.textlength(text, font=ImageFont.load_default(size)) > picture.width * 0.94:
        size -= 4
    font = ImageFont.load_default(size)
    place = (picture.width / 2, picture.height * (0.03 if at_top else 0.97))
    anchor = "ma" if at_top else "md"
    draw.text(place, text, font=font, fill="white", anchor=anchor, stroke_width=max(2, size // 16), stroke_fill="black")
