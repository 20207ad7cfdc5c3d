"""What an audit is asked for: checked once, then handed on as one value."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from sklearn_mia._choices import (
    CONFIDENCE,
    EFFORT,
    EFFORTS,
    FPRS,
    PERMUTATIONS,
    PRIOR,
    RESPONSE_METHODS,
    SHADOWS,
)
from sklearn_mia._views import in_message
from sklearn_mia.auditing._access import check_release
from sklearn_mia.auditing._nouns import check_group_name
from sklearn_mia.auditing._verdict import check_limits
from sklearn_mia.checks import (
    check_count,
    check_flag,
    check_fraction,
    check_fractions,
)

_TOLD = (
    "release",
    "effort",
    "fprs",
    "confidence",
    "prior",
    "inclusion_probability",
    "n_permutations",
    "min_slice_size",
    "seed",
)


@dataclass(frozen=True)
class Settings:
    """Settings of an audit; parameters as in :func:`sklearn_mia.audit`.

    Attributes
    ----------
    limits : tuple of (str, float or None, float)
        Given as a dict or None, see `check_limits`.

    slice_limits : tuple of (str, float or None, float)
        Given as a dict or None; has the AUC of `limits` if it is not given.

    slices : tuple
        Given as one slice, several or None.

    own_slice_limits : tuple of str
        Keys of those that were given.

    n_shadows : int or None, default=None
        None is by `effort`.

    n_permutations : int or None, default=None
        None is by `effort`.

    seed : int, default=0
        From `random_state`.
    """

    fprs: tuple = FPRS
    confidence: float = CONFIDENCE
    prior: float = PRIOR
    limits: tuple | None = None
    slice_limits: tuple | None = None
    own_slice_limits: tuple = field(default=(), init=False)
    slices: str | tuple = "auto"
    min_slice_size: int = 30
    inclusion_probability: float | None = None
    n_permutations: int | None = None
    n_shadows: int | None = None
    response_method: str = RESPONSE_METHODS[0]
    release: str | None = None
    effort: str = EFFORT
    drop_shared: bool = False
    group_name: str | tuple = "group"
    per_record: bool = True
    seed: int = 0

    def __post_init__(self):
        checked = {
            "fprs": tuple(sorted(set(check_fractions(self.fprs, "fprs")))),
            "confidence": check_fraction(self.confidence, "confidence"),
            "prior": check_fraction(self.prior, "prior"),
            "limits": tuple(check_limits(self.limits)),
            "slice_limits": _limits_of_slices(self.limits, self.slice_limits),
            "slices": _several(self.slices),
            "group_name": check_group_name(self.group_name),
            "response_method": _way_to_ask(self.response_method),
            "release": check_release(self.release),
            "effort": check_effort(self.effort),
            "min_slice_size": check_count(self.min_slice_size, "min_slice_size", 2),
            "drop_shared": check_flag(self.drop_shared, "drop_shared"),
            "per_record": check_flag(self.per_record, "per_record"),
        }
        if self.n_shadows is None:
            checked["n_shadows"] = SHADOWS[self.effort]
        n_permutations = self.n_permutations
        if n_permutations is None:
            n_permutations = PERMUTATIONS[self.effort]
        checked["n_permutations"] = check_count(n_permutations, "n_permutations", 99)
        if self.inclusion_probability is not None:
            checked["inclusion_probability"] = check_fraction(
                self.inclusion_probability, "inclusion_probability"
            )
        # Those that somebody asked for, and not the limit of the average.
        checked["own_slice_limits"] = tuple(self.slice_limits or ())
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def told(self):
        """The settings that a report shows."""
        return {name: getattr(self, name) for name in _TOLD}


def _limits_of_slices(limits, slice_limits):
    overall = {key: limit for key, fpr, limit in check_limits(limits) if fpr is None}
    given = {} if slice_limits is None else slice_limits
    own = {key: limit for key, _, limit in check_limits(given, "slice_limits")}
    return tuple(check_limits(overall | own, "slice_limits"))


def _way_to_ask(response_method):
    if response_method not in RESPONSE_METHODS:
        raise ValueError(
            f"response_method={response_method!r}; expected one of "
            f"{', '.join(map(repr, RESPONSE_METHODS))}."
        )
    return response_method


def check_effort(effort):
    """Return `effort` if it is one of `EFFORTS`."""
    if not isinstance(effort, str) or effort not in EFFORTS:
        raise ValueError(
            f"effort={effort!r}; expected one of {', '.join(map(repr, EFFORTS))}."
        )
    return effort


def _several(slices):
    if slices is None:
        return ()
    slices = tuple(slices) if isinstance(slices, (list, tuple)) else (slices,)
    for one in slices:
        if not isinstance(one, Hashable):
            raise ValueError(
                f"slices holds {in_message(one)}, which names no column; expected "
                "words such as 'class' and 'loss', and names of columns or, in an "
                "array, their positions, as a tuple."
            )
    return slices
