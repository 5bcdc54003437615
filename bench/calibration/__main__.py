"""Count the gate's errors and print the tables. The exit code is 1 if a rate is above its level."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from bench.calibration import clusters, interim, judged, labels, missing, page, pass_fail, scores, slices
from bench.calibration.table import Table, compute


def tables(full: bool) -> list[Table]:
    """All tables, in the order of the page."""
    makers = (
        pass_fail.table,
        pass_fail.power_table,
        scores.table,
        scores.power_table,
        scores.trials_table,
        clusters.table,
        clusters.unequal_table,
        clusters.power_table,
        clusters.unequal_power_table,
        slices.table,
        slices.margin_table,
        slices.documents_table,
        slices.power_table,
        interim.table,
        interim.attempts_table,
        interim.attempts_power_table,
        missing.table,
        judged.table,
        labels.table,
        labels.one_sided_table,
        pass_fail.obvious_table,
    )
    return [make(full) for make in makers]


def main() -> int:
    """Measure and print; return 1 if a rate is above its level."""
    parser = argparse.ArgumentParser(prog="python -m bench.calibration", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more cases and many more runs: minutes instead of seconds")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the page with all tables, in Markdown")
    options = parser.parse_args()
    started = time.perf_counter()
    every = tables(options.full)
    jobs = [job for table in every for job in table.jobs]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        rows = list(tqdm(pool.map(compute, jobs), total=len(jobs), disable=None))
    found, first = [], 0
    for table in every:
        found.append((table, rows[first : first + len(table.jobs)]))
        first += len(table.jobs)
    for table, some in found:
        print(f"{table.title}\n\n{page.rendered(table, some, 'simple')}\n")
    failures = [failure for table, some in found for failure in table.failures(some)]
    if options.write:
        options.write.write_text(page.page(found, options.full), encoding="utf-8")
    checked = sum(
        c.limit is not None and r != ""
        for t, some in found
        for _, rates in some
        for c, r in zip(t.columns, rates, strict=True)
    )
    print(f"{checked} rates checked in {time.perf_counter() - started:.0f} s: ", end="")
    print("all within their level." if not failures else f"{len(failures)} above their level:")
    print("".join(f"  {failure}\n" for failure in failures), end="")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
