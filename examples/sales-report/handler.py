"""A CSV of sales in (`date,product,quantity,price`), revenue by product and month out."""

import io

import pandas


def handle(event, context):
    """Return the report on the CSV in the body."""
    sales = pandas.read_csv(io.BytesIO(event.body), parse_dates=["date"])
    sales["revenue"] = sales["quantity"] * sales["price"]
    months = sales.groupby(sales["date"].dt.strftime("%Y-%m"))["revenue"].sum()
    products = sales.groupby("product")["revenue"].sum().sort_values(ascending=False)
    return {
        "rows": len(sales),
        "revenue": round(float(sales["revenue"].sum()), 2),
        "by_product": {name: round(float(value), 2) for name, value in products.items()},
        "by_month": {month: round(float(value), 2) for month, value in months.items()},
    }
