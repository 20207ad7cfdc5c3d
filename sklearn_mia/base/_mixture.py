"""Records of the pool and others in one call."""

from sklearn_mia._warn import warn

_ODD_DUPLICATES = 0.02


def check_mixture(in_pool, mode, lacks_models):
    """Raise ValueError, or warn, where records outside the pool cannot be compared.

    Parameters
    ----------
    in_pool : ndarray of shape (n_records,), dtype bool

    mode : {"auto", "online", "offline"}

    lacks_models : bool
        Whether shadows would have to be asked and were not kept.
    """
    n_queries, n_in = len(in_pool), int(in_pool.sum())
    n_out = n_queries - n_in
    if n_out and lacks_models:
        raise ValueError(
            f"{n_out} of {n_queries} records are outside the pool, and "
            "keep_models=False left no shadow to ask about them. Put them in the "
            "pool, or fit with keep_models=True."
        )
    if n_out and mode == "online":
        raise ValueError(
            f"{n_out} of {n_queries} records are outside the pool, and "
            "mode='online' scores records of the pool only. Put them in the pool, "
            "or use mode='auto'."
        )
    if mode == "auto" and min(n_in, n_out) > _ODD_DUPLICATES * n_queries:
        warn(
            f"{n_in} records are in the pool and {n_out} are not. They are scored "
            "on one scale, but by different evidence: if being in the pool goes "
            "with membership, compare them with mode='offline', or put all "
            "records in the pool."
        )
