"""Shares as percent, for people."""


def percent(share):
    """A share as percent, for people."""
    if share is None:
        return "n/a"
    value = 100 * share
    if 0 < abs(value) < 0.1:
        return f"{value:.2g} %"
    return f"{value:.1f} %"


def rate(fraction):
    """A rate that was asked for, as percent: 0.01 is 1 %."""
    return f"{100 * fraction:g} %"


def percent_interval(interval):
    """An estimate and its ends as percent, for people."""
    text = percent(interval["estimate"])
    if interval["low"] is None:
        return text
    low, high = f"{100 * interval['low']:.1f}", f"{100 * interval['high']:.1f}"
    return f"{text} ({low} to {high} %)"


def in_percent(share):
    """A share as percent, with three digits at the most."""
    return f"{100 * share:.3g} %"


def times_as_many(times):
    """How many times as many, at least a tenth more, with two digits."""
    times = max(times, 1.1)
    return f"{times:.2g}" if times < 99.5 else f"{float(f'{times:.2g}'):.0f}"
