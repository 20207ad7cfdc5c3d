"""What an audit costs, in fits of the model, and where it goes.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_audit_time.py

One fit is what one shadow model takes: training on half of the pool, the pipeline
included, and its answers for all of the pool. Seconds are those of the processor, of
worker processes too. Model and audit are run in turn; the smaller of the repetitions
counts. `audit` has its defaults, but for `effort`. The columns after "audit s" are its
parts, in fits.
"""

import resource
from contextlib import contextmanager
from functools import partial

from common import (
    FAMILIES,
    command_line,
    draw_members,
    load_for,
    select,
    write_results,
)
from sklearn.base import clone

from sklearn_mia import progress
from sklearn_mia._choices import EFFORTS
from sklearn_mia.auditing import audit

SIZES = [5000, 20_000, 45_000]


def processor_seconds():
    """Of this process and of those that it started and that have ended."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


def seconds(work):
    start = processor_seconds()
    work()
    return processor_seconds() - start


class Parts(progress.Progress):
    """Adds up processor seconds by stage, and shows nothing."""

    def __init__(self):
        super().__init__()
        self.seconds = {}
        self._since, self._part = processor_seconds(), "reading"

    def begin(self, name):
        """Begin a stage, and end the one before."""
        now = processor_seconds()
        before = self.seconds.get(self._part, 0.0)
        self.seconds[self._part] = before + now - self._since
        self._since, self._part = now, name
        super().begin(name)

    def _show(self):
        pass


@contextmanager
def parts_of_work():
    """Yield a dict that has the seconds of each stage once the work is done."""
    parts = Parts()
    token = progress._SHOWN.set(parts)
    try:
        yield parts.seconds
    finally:
        parts.begin("")
        progress._SHOWN.reset(token)


def train_and_answer(model, X, y, member):
    clone(model).fit(select(X, member), y[member]).predict_proba(X)


def main():
    parser = command_line(__doc__, "audit_time", tables=["adult"])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--models", nargs="+", default=list(FAMILIES), choices=FAMILIES)
    parser.add_argument("--efforts", nargs="+", default=EFFORTS[:2], choices=EFFORTS)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for table, n_records, name in (
        (t, n, m) for t in options.tables for n in options.sizes for m in options.models
    ):
        model = FAMILIES[name]
        X, y = load_for(name, table, n_records)
        member = draw_members(len(y), 0)
        target = clone(model).fit(select(X, member), y[member])
        sides = [
            part for side in (member, ~member) for part in (select(X, side), y[side])
        ]
        fits, runs = [], {effort: [] for effort in options.efforts}
        for _ in range(options.repeats):
            fits.append(seconds(partial(train_and_answer, model, X, y, member)))
            for effort, tried in runs.items():
                with parts_of_work() as parts:
                    audit(target, *sides, effort=effort, random_state=0)
                tried.append(parts)
        one = min(fits)
        for effort, tried in runs.items():
            parts = min(tried, key=lambda p: sum(p.values()))
            spent = sum(parts.values())
            rows.append(
                {
                    "table": table,
                    "records": len(y),
                    "model": name,
                    "effort": effort,
                    "fit s": one,
                    "audit s": spent,
                    "fits": spent / one,
                }
                | {part: used / one for part, used in parts.items() if part}
            )
            print(rows[-1], flush=True)
    write_results(options.name, rows, repeats=options.repeats)


if __name__ == "__main__":
    main()
