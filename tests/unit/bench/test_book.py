"""The book: a clean environment for what is measured."""

from bench.book import clean_environ


def test_settings_of_ours_and_of_rivals_stay_out() -> None:
    environ = {"PATH": "/bin", "DAYFLY_DATA_DIR": "/d", "WEB_CONCURRENCY": "4", "OPENFAAS_GATEWAY": "/g"}
    assert clean_environ(environ) == {"PATH": "/bin", "OPENFAAS_GATEWAY": "/g"}
