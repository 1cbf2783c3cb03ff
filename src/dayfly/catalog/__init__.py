"""The functions that Dayfly brings along, and the names under which people know them."""
