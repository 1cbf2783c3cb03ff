"""An image in, a smaller one in WebP out. `?width=` sets how wide, 256 when not given."""

import io

from PIL import Image, UnidentifiedImageError

Image.MAX_IMAGE_PIXELS = 50_000_000


def handle(event, context):
    """Return the thumbnail of the image in the body."""
    width = event.query.get("width", "256")
    if not width.isdigit() or not 1 <= int(width) <= 2048:
        return {"statusCode": 400, "body": "width must be a number from 1 to 2048\n"}
    try:
        image = Image.open(io.BytesIO(event.body))
        image.thumbnail((int(width), int(width) * 4))
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        return {"statusCode": 415, "body": f"{error}\n"}
    small = io.BytesIO()
    image.convert("RGB").save(small, "WEBP")
    print(f"{len(event.body)} bytes became {small.tell()}")
    return {"statusCode": 200, "headers": {"Content-Type": "image/webp"}, "body": small.getvalue()}
