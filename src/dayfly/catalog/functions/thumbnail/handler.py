"""An image in, a smaller one out. `?width=` sets how wide, 256 when not given; `?format=` png, jpeg or webp."""

import io

from PIL import Image, UnidentifiedImageError

Image.MAX_IMAGE_PIXELS = 50_000_000


def handle(event, context):
    """Return the thumbnail of the image in the body."""
    width, kind = event.query.get("width", "256"), event.query.get("format", "webp").lower()
    if not width.isdigit() or not 1 <= int(width) <= 2048:
        return {"statusCode": 400, "body": "width must be a number from 1 to 2048\n"}
    if kind not in ("png", "jpeg", "webp"):
        return {"statusCode": 400, "body": "format must be png, jpeg or webp\n"}
    try:
        image = Image.open(io.BytesIO(event.body))
        image.thumbnail((int(width), int(width) * 4))
    except UnidentifiedImageError:
        return {"statusCode": 415, "body": "the body is no image of a format that is known here\n"}
    except (Image.DecompressionBombError, OSError) as error:
        return {"statusCode": 415, "body": f"the body is no image that can be read: {error}\n"}
    small = io.BytesIO()
    image.convert("RGB").save(small, kind.upper())
    return {"statusCode": 200, "headers": {"Content-Type": f"image/{kind}"}, "body": small.getvalue()}
