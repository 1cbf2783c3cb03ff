"""The colours that an image is made of, the most frequent first. `?colours=` says how many, 6 when not given."""

import io

from PIL import Image, UnidentifiedImageError

Image.MAX_IMAGE_PIXELS = 50_000_000


def handle(event, context):
    """Return the colours in hexadecimal with their shares."""
    wanted = event.query.get("colours", "6")
    if not wanted.isdigit() or not 1 <= int(wanted) <= 32:
        return {"statusCode": 400, "body": "colours must be a number from 1 to 32\n"}
    try:
        image = Image.open(io.BytesIO(event.body)).convert("RGB")
        image.thumbnail((256, 256))
    except UnidentifiedImageError:
        return {"statusCode": 415, "body": "the body is no image of a format that is known here\n"}
    except (Image.DecompressionBombError, OSError) as error:
        return {"statusCode": 415, "body": f"the body is no image that can be read: {error}\n"}
    reduced = image.quantize(int(wanted)).convert("RGB")
    pixels = reduced.width * reduced.height
    counted = sorted(reduced.getcolors(), reverse=True)
    return [{"colour": "#" + bytes(colour).hex(), "share": round(count / pixels, 4)} for count, colour in counted]
