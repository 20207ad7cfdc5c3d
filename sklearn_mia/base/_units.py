"""Persons: the records of a group scored as one."""

import numpy as np
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_mia.groups import (
    group_codes,
    group_members,
    group_scores,
    level_of,
    thresholds_by_size,
)
from sklearn_mia.metrics import threshold_at_fpr


def check_reference_groups(groups, is_member):
    """Raise ValueError if no group is a reference for those that are members.

    Parameters
    ----------
    groups : ndarray of shape (n_records,)

    is_member : ndarray of shape (n_records,), dtype bool, or None
    """
    if is_member is not None and np.isin(groups, groups[is_member]).all():
        raise ValueError(
            "No group is wholly on the side of the non-members, so there is no "
            "reference for a threshold. Leave out the groups with records on both "
            "sides, or fit without groups."
        )


class GroupMixin:
    """Scores and thresholds of groups, for attacks that score records."""

    # Whether a score is a log-likelihood ratio, which can be summed as it is.
    _gives_log_ratios = False

    def _fit_groups(self, pool, scores, is_member):
        """Learn what the score of a group needs, and set its threshold."""
        self._group_reference = None
        if pool.groups is None:
            return
        scores = self._finite(scores)
        self._level = 0.0 if self._gives_log_ratios else level_of(scores)
        n_records = np.bincount(pool.groups)
        sums, sizes = [], []
        for rows, values in self._references(pool, scores, is_member):
            keys, of_groups = group_scores(
                self._log_ratios(self._finite(values)), pool.groups[rows]
            )
            # A group that was seen in part is no reference for whole ones.
            whole = np.bincount(pool.groups[rows])[keys] == n_records[keys]
            sums.append(of_groups[whole])
            sizes.append(n_records[keys[whole]])
        self._group_reference = np.concatenate(sums), np.concatenate(sizes)
        self.group_offset_ = float(
            threshold_at_fpr(self._group_reference[0], self.max_fpr)
        )

    def _log_ratios(self, scores):
        """Scores of records on the scale on which those of a group add up."""
        return scores - self._level

    def score_groups(self, X, groups):
        r"""Score groups of records, such as persons; higher = more likely members.

        .. math:: S_g = \sum_{i \in g} \lambda_i

        over the records i of a group, with :math:`\lambda` the score of a record: as it
        is for the attacks that give a log-likelihood ratio (RMIA, LiRA, BaggingAttack),
        else less its mean over the pool, members and others alike, see
        :func:`~sklearn_mia.groups.centred_scores`. Membership never enters. See
        :func:`~sklearn_mia.groups.group_scores` for why the sum.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_columns)
            Records as in `fit`; of a person whose records are not all at hand, those
            that are.

        groups : array-like of shape (n_records,)
            Key of the group of each record.

        Returns
        -------
        keys : ndarray of shape (n_groups,)
            The different keys, ascending.

        scores : ndarray of shape (n_groups,)
            The score of each.

        Raises
        ------
        ValueError
            If the attack was fitted without groups, or a record has no key.
        """
        self._check_fitted_by_group()
        return group_scores(self._log_ratios(self.score_samples(X)), groups)

    def predict_groups(self, X, groups, *, by_size=False):
        """Tell which groups are members at the false-alarm rate `max_fpr`.

        The rate is that of whole groups. The reference are the groups of known
        non-members; where membership is unknown, what shadows say of the groups that
        they left out, without shadows all groups of the pool. The second holds for a
        target that was trained, like the shadows, on about half of the pool: of a
        target trained on other people altogether 4 to 8 % of the groups were called
        members at a rate of 1 %, since shadows share records and such a target shares
        none.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} or Records
            Records as in `fit`.

        groups : array-like of shape (n_records,)
            Key of the group of each record.

        by_size : bool, default=False
            Whether groups of more records, which may be accused falsely more often,
            have a threshold of their own. Of hospital patients with 1 to 40 stays it
            cost .03 of a TPR of .23 (gradient boosting, where 2.6 % of the patients
            with 2 stays are accused at a common 1 %), and nothing on a forest.

        Returns
        -------
        keys : ndarray of shape (n_groups,)
            The different keys, ascending.

        y : ndarray of shape (n_groups,)
            ``classes_[1]`` for members.

        Raises
        ------
        ValueError
            If the attack was fitted without groups, or a record has no key.
        """
        keys, scores = self.score_groups(X, groups)
        offset = self.group_offset_
        if by_size:
            sizes = np.bincount(group_codes(groups, _num_samples(X))[1])
            offset = thresholds_by_size(
                *self._group_reference, max_fpr=self.max_fpr
            ).of(sizes)
        return keys, self.classes_[(scores > offset).astype(int)]

    def sides_of_groups(self, X, is_member, groups):
        """Score groups of known membership, without those that are on both sides.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} or Records
            Records as in `fit`.

        is_member : array-like of shape (n_records,), dtype bool
            Membership of each record.

        groups : array-like of shape (n_records,)
            Key of the group of each record.

        Returns
        -------
        is_member : ndarray of shape (n_groups,), dtype bool
            Membership of the groups that are members, or not, with all records.

        scores : ndarray of shape (n_groups,)
            The score of each, see `score_groups`.

        Raises
        ------
        ValueError
            If the attack was fitted without groups, a record has no key, or no group
            is wholly on one of the sides.
        """
        _, scores = self.score_groups(X, groups)
        _, of_groups, is_mixed, _ = group_members(is_member, groups)
        whole, members = ~is_mixed, of_groups & ~is_mixed
        if not members.any() or of_groups.all():
            side = "non-members" if members.any() else "members"
            raise ValueError(
                f"groups has none of {len(whole)} groups wholly among the {side}, and "
                f"{int(is_mixed.sum())} with records on both sides; expected at least "
                "one of each. Pass the records of more groups, or a splitter of "
                "groups: cv=StratifiedGroupKFold()."
            )
        return of_groups[whole], scores[whole]

    def _check_fitted_by_group(self):
        check_is_fitted(self)
        if self._group_reference is None:
            name = type(self).__name__
            raise ValueError(
                f"This {name} was fitted without groups, so shadows may hold a part of "
                "a person and no threshold is one of persons. Fit it again: "
                f"{name}(...).fit(records, groups=groups)."
            )
