"""What attacks share that can do without their shadow models."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval

from sklearn_mia.base._with_shadows import BaseShadowAttack


class BaseOptionalShadowAttack(BaseShadowAttack):
    """Base class of the attacks that can do without shadows, ``n_shadows=0``."""

    _parameter_constraints: dict = {
        **BaseShadowAttack._parameter_constraints,
        "n_shadows": [Interval(Integral, 0, None, closed="left")],
    }

    @property
    def mode(self):
        """How records of the pool and others are told apart."""
        return "auto" if self._has_shadows else "offline"

    @property
    def _has_shadows(self):
        # None: trained, but not kept.
        return self.models_ is None or len(self.models_) > 0

    def _fit_scores(self, pool, is_member, fit_params=None):
        if self.n_shadows:
            return super()._fit_scores(pool, is_member, fit_params)
        if fit_params:
            raise ValueError(
                f"{', '.join(fit_params)} passed to fit with n_shadows=0: they are for "
                "the training of shadows. Leave them out, or pass n_shadows=16."
            )
        self.models_, self._shadow_log_proba = [], None
        self.shadow_signals_ = np.empty((0, len(pool.ids)))
        self.shadow_members_ = np.empty((0, len(pool.ids)), dtype=bool)
        self._loses_classes = False
        self._choose_reader()
        self._remember(pool)
        return self._score_pool(pool)

    def _score_queries(self, queries):
        if self._has_shadows:
            return super()._score_queries(queries)
        n_records = len(queries.ids)
        return self._ask_score(
            self._target_signal(queries),
            np.empty((0, n_records)),
            np.empty((0, n_records), dtype=bool),
            np.zeros(n_records, dtype=bool),
        )
