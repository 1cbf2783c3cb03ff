"""A QR code of the text in the body: PNG, or SVG with `?format=svg`."""

import io

import segno


def handle(event, context):
    """Return the picture; `?scale=` sets the size of a module in pixels, 8 when not given."""
    kind, scale = event.query.get("format", "png"), event.query.get("scale", "8")
    if kind not in ("png", "svg") or not scale.isdigit() or not 1 <= int(scale) <= 40:
        return {"statusCode": 400, "body": "format must be png or svg, scale a number from 1 to 40\n"}
    try:
        code = segno.make(event.body.decode("utf-8", "replace").rstrip("\n"), micro=False)
    except segno.DataOverflowError:
        return {"statusCode": 413, "body": f"{len(event.body)} bytes are more than a QR code holds\n"}
    picture = io.BytesIO()
    code.save(picture, kind=kind, scale=int(scale))
    mime = "image/png" if kind == "png" else "image/svg+xml"
    return {"statusCode": 200, "headers": {"Content-Type": mime}, "body": picture.getvalue()}
