"""What wrk and h2load print, read back; a server that fails its calls gives no figure."""

import math

import pytest
from bench.loads import LoadFailed, Sample, parse_h2load, parse_wrk

_WRK = """Running 3s test @ http://127.0.0.1:18080/function/e
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   812.00us  403.00us   9.01ms   86.00%
    Req/Sec    35.19k     3.85k   41.20k    70.00%
  Latency Distribution
     50%  751.00us
     75%    0.99ms
     90%    1.27ms
     99%    2.34ms
  105231 requests in 3.00s, 9.43MB read
{extra}Requests/sec:  35042.97
Transfer/sec:      3.14MB
"""
_H2LOAD = """starting benchmark...
Application protocol: http/1.1

finished in 3.00s, 98835.00 req/s, 8.86MB/s
requests: {total} total, 296537 started, 296505 done, 296505 succeeded, {failed} failed, 0 errored, 0 timeout
status codes: {good} 2xx, 0 3xx, 0 4xx, {bad} 5xx
traffic: 26.58MB (27871470) total, 12.16MB (12750000) headers
"""


def test_wrk_gives_rate_and_percentiles_in_milliseconds() -> None:
    assert parse_wrk(_WRK.format(extra="")) == Sample(35042.97, 0.751, 2.34)


def test_wrk_reads_seconds_too() -> None:
    assert parse_wrk(_WRK.format(extra="").replace("2.34ms", "1.50s")).p99_ms == 1500


@pytest.mark.parametrize(
    "extra",
    [
        "  Non-2xx or 3xx responses: 106\n",
        "  Socket errors: connect 0, read 106, write 0, timeout 0\n",
        "  Socket errors: connect 50, read 0, write 3, timeout 53\n",
    ],
)
def test_wrk_with_more_than_one_failure_in_a_thousand_is_no_figure(extra: str) -> None:
    with pytest.raises(LoadFailed, match="106 of 105231"):
        parse_wrk(_WRK.format(extra=extra))


def test_wrk_forgives_a_few_closed_connections() -> None:
    extra = "  Socket errors: connect 0, read 32, write 0, timeout 0\n"
    assert parse_wrk(_WRK.format(extra=extra)).rate_per_s == 35042.97


def test_wrk_that_got_no_answer_is_no_figure() -> None:
    with pytest.raises(LoadFailed, match="nothing"):
        parse_wrk("  0 requests in 3.00s, 0.00B read\nRequests/sec:      0.00\n")


def test_h2load_gives_the_rate_only() -> None:
    sample = parse_h2load(_H2LOAD.format(total=296505, failed=0, good=296505, bad=0))
    assert sample.rate_per_s == 98835
    assert math.isnan(sample.p50_ms)


def test_h2load_with_failures_is_no_figure() -> None:
    with pytest.raises(LoadFailed, match="400 of 296505"):
        parse_h2load(_H2LOAD.format(total=296505, failed=0, good=296105, bad=400))


def test_h2load_that_could_not_connect_is_no_figure() -> None:
    with pytest.raises(LoadFailed, match="nothing"):
        parse_h2load(_H2LOAD.format(total=32, failed=32, good=0, bad=0))
