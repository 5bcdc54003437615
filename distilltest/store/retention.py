"""Deletes completions that are older than the retention period."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from distilltest.store.changes import Changes

_KEPT_RUNS = """
    SELECT id FROM run WHERE started >= :before
    UNION SELECT value FROM json_each(:also)
    UNION SELECT max(evaluation.run) FROM evaluation JOIN run ON run.id = evaluation.run
          WHERE run.verdict = 'promote' GROUP BY evaluation.id
"""
"""Runs to keep: recent ones, those given, and each evaluation's latest run with the verdict promote."""
_OLD = f"""
    created < :before AND id NOT IN (
        SELECT completion FROM outcome JOIN judged ON judged.id = outcome.judged
        WHERE judged.run IN ({_KEPT_RUNS}) AND completion IS NOT NULL
    )
"""  # noqa: S608  # no user input
_OLD_RUNS = f"started < :before AND emptied IS NULL AND id NOT IN ({_KEPT_RUNS})"


class Retention(Changes):
    """The part of the store for retention."""

    def delete_older(self, before: float, now: float, *, keep_runs: Iterable[str] = ()) -> int:
        """Delete completions that arrived before a time, and the texts that older runs recorded.

        A run's figures stay: which cases passed on which role, and their scores. Its reasons and report examples are deleted.
        Completions stay if they are used by a run that started later, or by an evaluation's latest run that promoted.

        Args:
            before: Unix time.
            now: Unix time.
            keep_runs: Further runs to keep in full.

        Returns:
            The number of deleted completions.
        """
        values = {"before": before, "now": now, "also": orjson.dumps(list(keep_runs)).decode()}
        with self._sql() as sql:  # no write lock if there is nothing to do
            query = (
                f"SELECT EXISTS (SELECT 1 FROM completion WHERE {_OLD}) OR EXISTS (SELECT 1 FROM run WHERE {_OLD_RUNS})"  # noqa: S608
            )
            if not sql.execute(query, values).fetchone()[0]:
                return 0
        with self._sql(write=True) as sql:
            sql.execute("PRAGMA secure_delete = ON")
            deleted = sql.execute(f"DELETE FROM completion WHERE {_OLD}", values).rowcount  # noqa: S608
            for (run,) in sql.execute(f"SELECT id FROM run WHERE {_OLD_RUNS}", values).fetchall():  # noqa: S608
                rows = sql.execute(
                    "SELECT judged, case_id, role, trial, grades FROM judged JOIN outcome ON judged = judged.id WHERE run = ?",
                    (run,),
                ).fetchall()
                for *place, grades in rows:
                    without = orjson.dumps([[*grade[:3], "", *grade[4:]] for grade in orjson.loads(grades)])
                    sql.execute(
                        "UPDATE outcome SET grades = ? WHERE judged = ? AND case_id = ? AND role = ? AND trial = ?",
                        (without, *place),
                    )
                for evaluation, report in sql.execute(
                    "SELECT id, report FROM evaluation WHERE run = ?", (run,)
                ).fetchall():
                    without = orjson.dumps({**orjson.loads(report), "changes": []})
                    sql.execute("UPDATE evaluation SET report = ? WHERE run = ? AND id = ?", (without, run, evaluation))
                sql.execute("UPDATE run SET emptied = ? WHERE id = ?", (now, run))
        return deleted
