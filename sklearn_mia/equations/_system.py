"""Linear equations in an unknown membership: how they are held and multiplied."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from sklearn_mia._views import TableViewMixin
from sklearn_mia.tables import as_dense

_ROUNDING_OF_FLOATS = 1e-6


@dataclass(frozen=True, repr=False)
class Equations(TableViewMixin):
    r"""Statistics of one kind that one fitted estimator stores.

    .. math:: \sum_i A_{ki} m_i = b_k + \text{noise}

    with :math:`m_i` how often record i of the pool is among the training records.

    A pickle of them holds the features of the pool where coefficients are made of it.

    Parameters
    ----------
    kind : str
        What is stored, in a few words: "leaf count".

    matrix : {ndarray, sparse matrix, Products} of shape (n_rows, n_columns)
        The coefficients A.

    b : array-like of shape (n_rows,)
        What is stored.

    scale : float or array-like of shape (n_rows,), default=0.0
        Standard deviation of the error of `b` by rounding, or by an optimiser that
        stopped early; ``inf`` for a row that tells nothing.

    sampling : float or array-like of shape (n_rows,), default=0.0
        Variance that a member adds in units of its squared coefficient, where
        training drew records: 1 for a bootstrap.

    n_members : float or None, default=None
        Training records, where the estimator stores their number.

    records : ndarray of shape (n_columns,) or None, default=None
        Which records of the pool the columns are; None for all, in their order.

    of_pool : bool, default=False
        Whether the rows are made from the pool, so that another pool gives others.

    is_bound : bool, default=False
        Whether `scale` is the most that an optimiser may have left, and the error often
        a small share of it.

    step : str, default=""
        Which part of the model stores it.
    """

    kind: str
    matrix: object
    b: np.ndarray
    scale: np.ndarray = 0.0
    sampling: float = 0.0
    n_members: float | None = None
    records: np.ndarray | None = None
    of_pool: bool = False
    is_bound: bool = False
    step: str = ""

    def __post_init__(self):
        b = np.ravel(np.asarray(self.b, dtype=np.float64))
        if np.ndim(self.matrix) == 2 and not sp.issparse(self.matrix):
            object.__setattr__(self, "matrix", np.asarray(self.matrix, np.float64))
        scale = np.broadcast_to(np.asarray(self.scale, np.float64), b.shape).copy()
        if self.matrix.shape[0] != len(b):
            raise ValueError(
                f"Equations of kind {self.kind!r} have a matrix of "
                f"{self.matrix.shape[0]} rows and b of {len(b)}; expected one value a "
                "row."
            )
        # What is not a number tells nothing.
        void = ~np.isfinite(b) | np.isnan(scale)
        scale[void] = np.inf
        object.__setattr__(self, "b", np.where(void, 0.0, b))
        object.__setattr__(self, "scale", scale)

    @property
    def _is_drawn(self):
        """Whether training drew records, so that the left side is an expectation."""
        return bool(np.any(self.sampling))

    def _dot(self, m):
        """Left sides of the equations at the values m of all records."""
        return self.matrix @ (m if self.records is None else m[self.records])

    def _squares(self, v):
        """Sum of the squared coefficients of each row, weighted by v."""
        v = v if self.records is None else v[self.records]
        if isinstance(self.matrix, Products):
            return self.matrix.squared() @ v
        if sp.issparse(self.matrix):
            return squared(self.matrix) @ v
        return np.square(self.matrix) @ v

    def _add_transposed(self, z, total):
        """Add the product of the transposed matrix and z, record by record."""
        if self.records is None:
            total += self.matrix.T @ z
        else:
            total[self.records] += self.matrix.T @ z

    def _add_transposed_squares(self, w, total):
        """Add the squared coefficients of each record, its rows weighted by w."""
        if isinstance(self.matrix, Products):
            squares = self.matrix.squared().T @ w
        elif sp.issparse(self.matrix):
            squares = squared(self.matrix).T @ w
        else:
            squares = np.square(self.matrix).T @ w
        if self.records is None:
            total += squares
        else:
            total[self.records] += squares

    def _toarray(self, n_records):
        """The coefficients as an array of shape (n_rows, n_records)."""
        if isinstance(self.matrix, Products):
            dense = self.matrix.toarray()
        else:
            dense = as_dense(self.matrix)
        if self.records is None:
            return dense
        wide = np.zeros((len(self.b), n_records))
        wide[:, self.records] = dense
        return wide

    def _tosparse(self, n_records):
        """A sparse matrix with a column for every record."""
        if self.records is None:
            return sp.csr_array(self.matrix)
        found = sp.coo_array(self.matrix)
        places = found.row, np.asarray(self.records)[found.col]
        return sp.csr_array((found.data, places), shape=(len(self.b), n_records))


class Products(TableViewMixin):
    r"""The matrix of all products of a column of F and a column of R.

    .. math:: A_{(jk), i} = F_{ij} R_{ik}

    Row ``j * R.shape[1] + k`` belongs to column j of F and k of R. The products are
    made anew at each use, so that the matrix takes no more memory than its factors.

    A pickle of it holds them.

    Parameters
    ----------
    F : {ndarray, sparse matrix} of shape (n_records, n_left)
        The left factors.

    R : ndarray of shape (n_records, n_right)
        The right factors.
    """

    def __init__(self, F, R):
        self.F = F.tocsr() if sp.issparse(F) else np.asarray(F, dtype=np.float64)
        self.R = np.asarray(R, dtype=np.float64)
        self.shape = self.F.shape[1] * self.R.shape[1], self.F.shape[0]

    def __matmul__(self, m):
        """Product with a vector of shape (n_records,)."""
        return np.ravel(self.F.T @ (self.R * m[:, None]))

    @property
    def T(self):
        """What multiplies from the other side."""
        return _TransposedProducts(self)

    def squared(self):
        """The matrix of the squared coefficients.

        Returns
        -------
        squared : Products
            Of the squared factors.
        """
        F = squared(self.F) if sp.issparse(self.F) else np.square(self.F)
        return Products(F, np.square(self.R))

    def toarray(self):
        """The matrix as an array, for small pools.

        Returns
        -------
        A : ndarray of shape (n_rows, n_records)
            All products.
        """
        F = as_dense(self.F)
        return np.einsum("ij,ik->jki", F, self.R).reshape(self.shape)


@dataclass(frozen=True)
class _TransposedProducts:
    """A pickle of it holds the factors."""

    of: Products

    def __matmul__(self, z):
        z = z.reshape(self.of.F.shape[1], self.of.R.shape[1])
        return np.sum((self.of.F @ z) * self.of.R, axis=1)


@dataclass(frozen=True)
class EquationKind(TableViewMixin):
    """One line of the table of what a model stores.

    Attributes
    ----------
    step : str
        Which part of the model; "" for the model itself.

    kind : str
        What is stored.

    n_equations : int
        Equations of this kind that some record of the pool is in.

    noise : float
        Median of their standard deviations, at a membership of one half.
    """

    step: str
    kind: str
    n_equations: int
    noise: float


@dataclass(frozen=True, repr=False)
class LinearSystem(TableViewMixin):
    """All equations of a model in the membership of a pool.

    A pickle of them holds the features of the pool where coefficients are made of it.

    Attributes
    ----------
    blocks : tuple of Equations
        In the order of the parts of the model.

    n_records : int
        Records of the pool.

    unread : tuple of (str, float), default=()
        Class of each part of the model that has no equation, and how many numbers it
        stores, infinite if that is not known.
    """

    blocks: tuple
    n_records: int
    unread: tuple = ()
    b: np.ndarray = field(init=False)
    scale: np.ndarray = field(init=False)

    def __post_init__(self):
        for name in ("b", "scale"):
            parts = [getattr(block, name) for block in self.blocks]
            joined = np.concatenate(parts) if parts else np.zeros(0)
            object.__setattr__(self, name, joined)

    def _shown(self):
        kinds = [(f"{k.step} {k.kind}".strip(), k.n_equations) for k in self.table()]
        unread = [(f"not read: {name}", count) for name, count in self.unread]
        head = [("records of the pool", self.n_records), ("members", self.n_members)]
        return [*head, *kinds, *unread]

    @property
    def n_members(self):
        """Training records, as the model tells; None if it does not."""
        told = [e.n_members for e in self.blocks if e.n_members is not None]
        return max(told) if told else None

    @property
    def n_equations(self):
        """Equations that some record of the pool is in."""
        return int(np.sum(self.usable))

    @property
    def usable(self):
        """Whether each row tells something about some record of the pool."""
        return np.isfinite(self.scale) & (self.squares(np.ones(self.n_records)) > 0)

    def dot(self, m):
        """Left sides of all equations at the values m of the records.

        Parameters
        ----------
        m : ndarray of shape (n_records,)
            How often each record is in the training data, or any other number.

        Returns
        -------
        left : ndarray of shape (n_rows,)
            The product A m.
        """
        parts = [block._dot(m) for block in self.blocks]
        return np.concatenate(parts) if parts else np.zeros(0)

    def squares(self, v):
        """Sum of the squared coefficients of each row, weighted by v.

        Parameters
        ----------
        v : ndarray of shape (n_records,)
            Weight of each record.

        Returns
        -------
        squares : ndarray of shape (n_rows,)
            For weights of 1 the square of the norm of the row.
        """
        parts = [block._squares(v) for block in self.blocks]
        return np.concatenate(parts) if parts else np.zeros(0)

    @property
    def of_pool(self):
        """Whether each row is made from the pool, so that another pool has others."""
        parts = [np.full(len(block.b), block.of_pool) for block in self.blocks]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)

    def transposed_dot(self, z):
        """Product of the transposed matrix and z, one value a record.

        Parameters
        ----------
        z : ndarray of shape (n_rows,)
            A number for each equation.

        Returns
        -------
        product : ndarray of shape (n_records,)
            The product of the transposed A and z.
        """
        return self._sum_over_rows("_add_transposed", z)

    def transposed_squares(self, w):
        """Sum of the squared coefficients of each record, its rows weighted by w.

        Parameters
        ----------
        w : ndarray of shape (n_rows,)
            Weight of each equation.

        Returns
        -------
        squares : ndarray of shape (n_records,)
            For weights of 1 the square of the norm of the column.
        """
        return self._sum_over_rows("_add_transposed_squares", w)

    def _sum_over_rows(self, method, z):
        total, start = np.zeros(self.n_records), 0
        for block in self.blocks:
            stop = start + len(block.b)
            getattr(block, method)(z[start:stop], total)
            start = stop
        return total

    def noise(self, expected, share_of_bounds=1.0):
        """Standard deviation of each row at the expected number of each record.

        Parameters
        ----------
        expected : ndarray of shape (n_records,)
            How often each record is expected to be in the training data.

        share_of_bounds : float, default=1.0
            How much of the error there is where only a bound of it is known.

        Returns
        -------
        noise : ndarray of shape (n_rows,)
            Of rounding, and of the draws of a bootstrap.
        """
        if not self.blocks:
            return np.zeros(0)
        variance = [
            (block.scale * (share_of_bounds if block.is_bound else 1.0)) ** 2
            + (block.sampling * block._squares(expected) if block._is_drawn else 0.0)
            for block in self.blocks
        ]
        return np.sqrt(np.concatenate(variance))

    def toarray(self):
        """All coefficients as an array of shape (n_rows, n_records), for small pools.

        Returns
        -------
        A : ndarray of shape (n_rows, n_records)
            Zeros in rows that tell nothing are no statement.
        """
        if not self.blocks:
            return np.zeros((0, self.n_records))
        return np.concatenate([e._toarray(self.n_records) for e in self.blocks])

    @property
    def n_dense(self):
        """Coefficients that are not held as a sparse matrix."""
        return sum(
            len(block.b) * self.n_records
            for block in self.blocks
            if not sp.issparse(block.matrix)
        )

    def stacked(self, rows):
        """The coefficients of some rows, in one sparse and one dense matrix.

        Parameters
        ----------
        rows : ndarray of shape (n_used,)
            Which rows, in their order.

        Returns
        -------
        sparse, dense : tuple of a csr_array or an ndarray, and an ndarray
            The rows held either way, and which ones they are.
        """
        parts, positions, start = ([], []), ([], []), 0
        for block in self.blocks:
            own = rows[(rows >= start) & (rows < start + len(block.b))]
            dense = not sp.issparse(block.matrix)
            if dense:
                found = block._toarray(self.n_records)[own - start]
            else:
                found = block._tosparse(self.n_records)[own - start]
            parts[dense].append(found)
            positions[dense].append(own)
            start += len(block.b)
        none = np.zeros((0, self.n_records))
        held = sp.vstack([sp.csr_array(none), *parts[0]], format="csr")
        nowhere = np.zeros(0, dtype=int)
        at_sparse, at_dense = (np.concatenate([nowhere, *p]) for p in positions)
        return (held, at_sparse), (np.concatenate([none, *parts[1]]), at_dense)

    def table(self):
        """What is stored, a line for each step and kind.

        Returns
        -------
        table : list of EquationKind
            Without kinds that no record of the pool is in.
        """
        half = np.full(self.n_records, 0.5)
        usable, noise = self.usable, self.noise(half)
        counts, noises, start = Counter(), {}, 0
        for block in self.blocks:
            rows = slice(start, start + len(block.b))
            start = rows.stop
            key = block.step, block.kind
            counts[key] += int(usable[rows].sum())
            noises.setdefault(key, []).append(noise[rows][usable[rows]])
        return [
            EquationKind(*key, n, float(np.median(np.concatenate(noises[key]))))
            for key, n in counts.items()
            if n
        ]

    def without_pool_rows(self):
        """The equations that would be the same ones with another pool.

        Returns
        -------
        system : LinearSystem
            Its rows are those that are not `of_pool`, in their order.
        """
        kept = tuple(block for block in self.blocks if not block.of_pool)
        return replace(self, blocks=kept)


def grouped(groups, n_groups, values=None):
    """Matrix of sums over groups, several partitions of the records at once.

    Parameters
    ----------
    groups : ndarray of shape (n_records, n_partitions), dtype int
        Number of the group of each record in each partition; negative for none.

    n_groups : array-like of shape (n_partitions,)
        Groups of each partition.

    values : ndarray of shape (n_records, n_partitions) or None, default=None
        Coefficient of each record in its group, 1 by default.

    Returns
    -------
    matrix : csc_array of shape (sum of n_groups, n_records)
        The groups of the first partition, then those of the next.
    """
    n_records, n_partitions = groups.shape
    starts = np.concatenate([[0], np.cumsum(n_groups)])
    rows = (groups + starts[:-1]).astype(np.int32)
    data = np.ones(groups.shape) if values is None else np.array(values, np.float64)
    pointers = np.arange(n_records + 1) * n_partitions
    inside = groups >= 0
    if not inside.all():
        rows, data = rows[inside], data[inside]
        pointers = np.concatenate([[0], np.cumsum(inside.sum(axis=1))])
    if pointers[-1] <= np.iinfo(np.int32).max:
        # Else scipy takes eight bytes for every row as well.
        pointers = pointers.astype(np.int32)
    shape = int(starts[-1]), n_records
    return sp.csc_array((np.ravel(data), np.ravel(rows), pointers), shape=shape)


def squared(matrix):
    """A sparse matrix of the squared coefficients."""
    if not getattr(matrix, "has_canonical_format", False):
        return matrix.multiply(matrix)
    parts = np.square(matrix.data), matrix.indices, matrix.indptr
    return type(matrix)(parts, shape=matrix.shape)


def with_values(matrix, values):
    """The groups of another matrix with other values, the pattern shared.

    Parameters
    ----------
    matrix : csc_array
        From :func:`grouped`, every record in a group of every partition.

    values : ndarray of shape (n_records, n_partitions)

    Returns
    -------
    matrix : csc_array of the same shape
    """
    data = np.ravel(np.asarray(values, dtype=np.float64))
    return sp.csc_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def rounding_of(X, of_doubles):
    """Relative error of sums of what was trained in doubles, or in single precision.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame}
        Features as they were given in training.

    of_doubles : float
        The error where they are no array of float32.

    Returns
    -------
    rounding : float
        At least 1e-6 for float32.
    """
    single = getattr(X, "dtype", None) == np.float32
    return max(of_doubles, _ROUNDING_OF_FLOATS) if single else of_doubles
