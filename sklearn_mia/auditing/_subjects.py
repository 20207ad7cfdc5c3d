"""Whom an audit is about: single records, or groups of them that go together."""

from dataclasses import dataclass, field

import numpy as np

from sklearn_mia.auditing._case import check_sides_of_groups
from sklearn_mia.auditing._multiplicity import MembershipPermuter
from sklearn_mia.groups import group_members, group_scores


@dataclass(frozen=True, repr=False)
class Subjects:
    """What is a member or not as a whole: each counts once in every number.

    Attributes
    ----------
    is_member : ndarray of shape (n_subjects,), dtype bool

    permuter : MembershipPermuter

    keys : ndarray of shape (n_subjects,) or None
        The caller's, of groups; None where a record is a subject.

    n_records : ndarray of shape (n_subjects,) or None
        Of each group.

    n_mixed : int
        Groups with records on both sides: they count as members, by the records that
        were trained on.
    """

    is_member: np.ndarray
    permuter: MembershipPermuter
    _scored: dict
    keys: np.ndarray | None = None
    n_records: np.ndarray | None = None
    n_mixed: int = 0
    _of_record: np.ndarray | None = None
    # Scores by all records, which every number asks for.
    _whole: dict = field(default_factory=dict)

    @property
    def sides(self):
        """Numbers of members and of non-members."""
        return int(self.is_member.sum()), int((~self.is_member).sum())

    def judged(self, name, inside=None):
        """What an attack says, by some of the records.

        Parameters
        ----------
        name : str

        inside : ndarray of shape (n_records,), dtype bool, or None, default=None
            The records that count; None takes all.

        Returns
        -------
        scores : ndarray of shape (n_subjects,)
            NaN where the attack is not judged.

        used : ndarray of shape (n_subjects,), dtype bool, or None
            The subjects that are judged, None for all.
        """
        if self.keys is None:
            result = self._scored[name]
            used = result.used
            if inside is not None:
                used = inside if used is None else inside & used
            return result.scores, used
        if inside is not None:
            return self._summed(name, inside)
        if name not in self._whole:
            self._whole[name] = self._summed(name)
        return self._whole[name]

    def _summed(self, name, inside=None):
        result = self._scored[name]
        rows = self._of_record >= 0
        for part in (inside, result.used):
            if part is not None:
                rows = rows & part
        present, sums = group_scores(result.ratios[rows], self._of_record[rows])
        scores = np.full(len(self.keys), np.nan)
        scores[present] = sums
        known = np.isfinite(scores)
        return scores, None if known.all() else known

    def rows(self, name):
        """Scores and membership of the subjects that an attack is judged on."""
        scores, used = self.judged(name)
        kept = slice(None) if used is None else used
        return self.is_member[kept], scores[kept]

    def sliced(self, slicings, name):
        """What one attack says, and who of those it is judged on is in each slice.

        Parameters
        ----------
        slicings : dict
            Name of each mapped to a list of labels and of records.

        name : str
            Of the attack.

        Returns
        -------
        slicings : dict
            Name of each mapped to a list of labels and of subjects.

        scores : ndarray of shape (n_judged,)

        is_member : ndarray of shape (n_judged,), dtype bool
        """
        scores, used = self.judged(name)
        kept = slice(None) if used is None else used
        of_subjects = {
            slicing: [(label, self.labels(inside)[kept]) for label, inside in groups]
            for slicing, groups in slicings.items()
        }
        return of_subjects, scores[kept], self.is_member[kept]

    def labels(self, inside):
        """The subjects with records among some of the records.

        Parameters
        ----------
        inside : ndarray of shape (n_records,), dtype bool

        Returns
        -------
        present : ndarray of shape (n_subjects,), dtype bool
        """
        if self.keys is None:
            return inside
        present = np.zeros(len(self.keys), dtype=bool)
        present[self._of_record[inside & (self._of_record >= 0)]] = True
        return present


def subjects_of(case, scored):
    """Single records, or the groups if there are any.

    Parameters
    ----------
    case : Case

    scored : dict
        Name of each attack mapped to a `Scored`.

    Returns
    -------
    subjects : Subjects
    """
    half = next((s.used for s in scored.values() if s.used is not None), None)
    if case.groups is None:
        return Subjects(case.is_member, record_permuter(case, half), scored)
    codes, is_member, is_mixed, _ = group_members(case.is_member, case.groups)
    check_sides_of_groups(is_member, is_mixed)
    place = np.full(codes[-1] + 1, -1)
    place[codes] = np.arange(len(codes))
    of_record = place[case.groups]
    # Of who has records on both sides, those count that were trained on.
    of_record[is_mixed[of_record] & ~case.is_member] = -1
    first = np.unique(of_record, return_index=True)[1][int(is_mixed.any()) :]
    blocks = None if half is None else half[first].astype(int)
    units = np.unique(case.units[first], return_inverse=True)[1]
    return Subjects(
        is_member,
        MembershipPermuter(is_member, units, blocks=blocks),
        scored,
        keys=case.group_keys[codes],
        n_records=np.bincount(of_record[of_record >= 0]),
        n_mixed=int(is_mixed.sum()),
        _of_record=of_record,
    )


def record_permuter(case, half=None):
    """Permutations of records that respect groups, duplicates and halves of learners.

    Parameters
    ----------
    case : Case

    half : ndarray of shape (n_records,), dtype bool, or None, default=None
        The records that learners are judged on.

    Returns
    -------
    permuter : MembershipPermuter
    """
    return MembershipPermuter(
        case.is_member,
        case.units,
        blocks=None if half is None else half.astype(int),
        by_size=case.groups is None,
    )
