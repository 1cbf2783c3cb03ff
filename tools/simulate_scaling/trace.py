"""A day of calls that looks like one: a working day's curve, an idle night, noise, bursts, and a job on the hour.

Arrivals are a Poisson process whose rate is drawn anew every minute around the curve; every figure comes from one
seeded generator, so that a seed is a day that can be replayed.
"""

import math
import random

import msgspec

DAY_S = 86_400


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What a day looks like. Rates are calls a second."""

    seed: int = 1
    peak_rate: float = 40.0
    """At the height of the afternoon, before noise."""
    opens_h: float = 6.0
    closes_h: float = 23.0
    """Outside of these hours there are only the jobs and the bursts."""
    noise: float = 0.25
    """Standard deviation of a minute's rate, as a part of it."""
    bursts: int = 24
    """Bursts in the day, at random times, also in the night."""
    burst_rate: tuple[float, float] = (40.0, 250.0)
    burst_s: tuple[float, float] = (3.0, 90.0)
    job_every_s: float = 3600.0
    job_calls: int = 60
    """Calls that a job sends at once, on the hour."""
    service_s: float = 0.4
    """Mean time a replica works on a call."""
    service_spread: float = 0.8
    """Standard deviation of the logarithm of that time."""


class Trace(msgspec.Struct, frozen=True):
    """Calls in the order they arrive: when, and how long a replica works on each."""

    arrivals: list[float]
    services: list[float]


def day(shape: Shape) -> Trace:
    """Return the calls of one day."""
    chance = random.Random(shape.seed)  # noqa: S311 - a simulation wants to be repeated, not to be secret
    rates = [_rate(shape, minute * 60.0) * max(0.0, chance.gauss(1.0, shape.noise)) for minute in range(DAY_S // 60)]
    arrivals: list[float] = []
    for minute, rate in enumerate(rates):
        arrivals.extend(_poisson(chance, rate, minute * 60.0, minute * 60.0 + 60.0))
    for _ in range(shape.bursts):
        begin, length = chance.uniform(0, DAY_S - 200.0), chance.uniform(*shape.burst_s)
        arrivals.extend(_poisson(chance, chance.uniform(*shape.burst_rate), begin, begin + length))
    for hour in range(1, int(DAY_S / shape.job_every_s)):
        at = hour * shape.job_every_s
        arrivals.extend(at + chance.uniform(0, 0.5) for _ in range(shape.job_calls))
    arrivals.sort()
    mean_of_log = math.log(shape.service_s) - shape.service_spread**2 / 2
    services = [chance.lognormvariate(mean_of_log, shape.service_spread) for _ in arrivals]
    return Trace(arrivals, services)


def concurrency(trace: Trace, seconds: int) -> list[float]:
    """Return by second the mean number of calls in flight, if each were served the moment it arrives."""
    busy = [0.0] * (seconds + 1)
    for begin, service in zip(trace.arrivals, trace.services, strict=True):
        at, end = begin, min(begin + service, float(seconds))
        while at < end:
            until = min(end, math.floor(at) + 1.0)
            busy[int(at)] += until - at
            at = until
    return busy[:seconds]


def _rate(shape: Shape, at: float) -> float:
    hour = at / 3600
    if not shape.opens_h <= hour < shape.closes_h:
        return 0.0
    part = (hour - shape.opens_h) / (shape.closes_h - shape.opens_h)
    return shape.peak_rate * math.sin(math.pi * part) ** 2 * (1 - 0.35 * math.exp(-(((hour - 13) / 0.7) ** 2)))


def _poisson(chance: random.Random, rate: float, begin: float, end: float) -> list[float]:
    times: list[float] = []
    if rate <= 0:
        return times
    at = begin + chance.expovariate(rate)
    while at < end:
        times.append(at)
        at += chance.expovariate(rate)
    return times
