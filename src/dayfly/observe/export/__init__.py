"""Rows as files that other programs read: CSV, JSON, Excel's, Parquet."""
