"""Reports: what functions did, as a page, a file and a mail."""
