"""CSV in, JSON out. The first line has the names; the separator is found by looking."""

import csv
import io


def handle(event, context):
    """Return a list with an object for each line."""
    try:
        text = event.body.decode("utf-8-sig")
        dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t|")
    except UnicodeDecodeError:
        return {"statusCode": 415, "body": "the body is not UTF-8 text\n"}
    except csv.Error:
        dialect = csv.excel
    try:
        rows = list(csv.DictReader(io.StringIO(text), dialect=dialect, restkey="", strict=True))
    except csv.Error as error:
        return {"statusCode": 400, "body": f"this is no CSV: {error}\n"}
    return rows
