"""The schema, as numbered migrations. A released migration never changes; add a new one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable

from distilltest.store.old_rows import drop, left_to_move, move

_COMMENT = re.compile(r"--[^\n]*")

MIGRATIONS: list[tuple[str, str]] = [
    (
        "completions, runs and outcomes",
        """
        -- One answer of one model to one request. A row is durable before the answer is used.
        CREATE TABLE completion (
            key        TEXT PRIMARY KEY,  -- hash of server address, model, messages, parameters and trial
            server     TEXT NOT NULL,     -- the server's name in distilltest.yaml when it was asked
            model      TEXT NOT NULL,     -- the model that was asked for
            trial      INTEGER NOT NULL,  -- the k-th answer to the same request, from 0
            metadata   TEXT NOT NULL,     -- JSON object of labels, {} for none
            request    BLOB NOT NULL,     -- JSON body as it was sent
            answer     BLOB NOT NULL,     -- JSON of our Completion record
            response   BLOB NOT NULL,     -- the server's body, byte for byte
            created    REAL NOT NULL      -- Unix time of arrival
        ) WITHOUT ROWID;
        CREATE INDEX completion_by_model ON completion (model, created);

        -- Everything that one pytest session did.
        CREATE TABLE run (
            id       TEXT PRIMARY KEY,    -- sorts by time
            started  REAL NOT NULL,       -- Unix time
            finished REAL,                -- NULL: it was interrupted
            command  TEXT NOT NULL,
            verdict  TEXT                 -- promote, block, undecided, incomplete, NULL: it was interrupted
        ) WITHOUT ROWID;

        -- The report of one evaluation of a run, as JSON.
        CREATE TABLE evaluation (
            run    TEXT NOT NULL REFERENCES run (id),
            id     TEXT NOT NULL,         -- pytest's node id
            report BLOB NOT NULL,
            PRIMARY KEY (run, id)
        ) WITHOUT ROWID;

        -- How one trial of one case on one role ended.
        CREATE TABLE outcome (
            run            TEXT NOT NULL,
            evaluation     TEXT NOT NULL,
            case_id        TEXT NOT NULL,
            role           TEXT NOT NULL,
            trial          INTEGER NOT NULL,
            passed         INTEGER,       -- NULL: the call failed
            score          REAL,          -- in [0, 1], NULL: the call failed
            failure        TEXT,          -- kind of call failure, NULL: there is a completion
            completion_key TEXT NOT NULL, -- of its completion, also where the call failed
            grades         BLOB NOT NULL, -- JSON list of [name, score, passed, reason]
            PRIMARY KEY (run, evaluation, case_id, role, trial)
        ) WITHOUT ROWID;

        -- What commands remember between two calls: the steps of a distillation, the tuned candidate.
        CREATE TABLE state (
            name  TEXT PRIMARY KEY,
            value BLOB NOT NULL           -- JSON
        ) WITHOUT ROWID;
        """,
    ),
    (
        "candidates gated on a dataset",
        """
        -- A candidate that the gate has judged on a dataset: each further one shares the level with those before it.
        CREATE TABLE attempt (
            dataset    TEXT NOT NULL,     -- fingerprint
            evaluation TEXT NOT NULL,     -- pytest's node id
            model      TEXT NOT NULL,     -- fingerprint of server address, model and parameters
            prompt     TEXT NOT NULL,     -- fingerprint
            name       TEXT NOT NULL,     -- the model's id, for people
            at         REAL NOT NULL,     -- Unix time of the first verdict since the last promotion
            PRIMARY KEY (dataset, evaluation, model, prompt)
        ) WITHOUT ROWID;
        """,
    ),
    (
        "finding completions by time, by how they were graded, and by the server's id",
        """
        ALTER TABLE completion ADD COLUMN server_id TEXT;  -- the server's own id of it, NULL where it gave none
        UPDATE completion SET server_id = nullif(json_extract(CAST(answer AS TEXT), '$.served_id'), '');
        CREATE INDEX completion_by_time ON completion (created);
        CREATE INDEX completion_by_server_id ON completion (server_id) WHERE server_id IS NOT NULL;
        CREATE INDEX outcome_by_completion ON outcome (completion_key, run);
        CREATE INDEX outcome_by_evaluation ON outcome (evaluation, case_id, role, trial);
        """,
    ),
    (
        "runs whose texts were deleted by the retention",
        """
        ALTER TABLE run ADD COLUMN emptied REAL;  -- Unix time at which reasons and examples were deleted, NULL: they are there
        """,
    ),
    (
        "what a run was",
        """
        -- JSON: circumstances, candidate, paths, and why it is not whole. NULL: it did not come to its end, or is older
        ALTER TABLE run ADD COLUMN record BLOB
        """,
    ),
    (
        "small rows, and several answers to one request",
        """
        -- moved.py carries the rows over, some at a time
        ALTER TABLE completion RENAME TO completion_before;
        ALTER TABLE outcome RENAME TO outcome_before;
        DROP INDEX completion_by_model;
        DROP INDEX completion_by_time;
        DROP INDEX completion_by_server_id;
        DROP INDEX outcome_by_completion;
        DROP INDEX outcome_by_evaluation;

        -- Who fetches: one process, or all workers of one pytest run. 0, which has no row: an import, or an older distilltest.
        CREATE TABLE session (
            id   INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE      -- the run's id, where there is a run
        );

        -- Where completions come from.
        CREATE TABLE origin (
            id     INTEGER PRIMARY KEY,
            server TEXT NOT NULL,          -- the server's name in distilltest.yaml when it was asked
            model  TEXT NOT NULL,          -- the model that was asked for
            UNIQUE (server, model)
        );

        -- One answer of one model to one request. A row is durable before the answer is used, and its texts are never replaced by
        -- another answer: what asks again (--fresh) adds a row, and the last one counts.
        CREATE TABLE completion (
            id       INTEGER PRIMARY KEY AUTOINCREMENT,
            key      BLOB NOT NULL,        -- SHA-256 of server address, model, messages, parameters and trial
            session  INTEGER NOT NULL,     -- that asked for it
            origin   INTEGER NOT NULL,
            trial    INTEGER NOT NULL,     -- the k-th answer to the same request, from 0
            created  REAL NOT NULL,        -- Unix time of arrival
            latency  REAL NOT NULL,        -- seconds
            attempts INTEGER NOT NULL,
            served   INTEGER,              -- hash of the server's own id of it, NULL where it gave none
            metadata TEXT NOT NULL,        -- JSON object of labels, {} for none
            request  BLOB NOT NULL,        -- JSON body as it was sent
            response BLOB NOT NULL,        -- the server's body, byte for byte
            answer   BLOB                  -- JSON of what it says, NULL where the response says just this by itself
        );
        CREATE UNIQUE INDEX completion_by_key ON completion (key, session);
        CREATE INDEX completion_by_origin ON completion (origin, created);
        CREATE INDEX completion_by_time ON completion (created);
        CREATE INDEX completion_by_served ON completion (served) WHERE served IS NOT NULL;

        -- Requests that got no completion after all retries, for other workers of the session and for whoever waited for them.
        CREATE TABLE call_failure (
            key       BLOB PRIMARY KEY,
            session   INTEGER NOT NULL,
            at        REAL NOT NULL,       -- Unix time
            model     TEXT NOT NULL,
            kind      TEXT NOT NULL,
            message   TEXT NOT NULL,
            attempts  INTEGER NOT NULL,
            permanent INTEGER NOT NULL     -- whether the same request will fail again
        ) WITHOUT ROWID;

        -- What an evaluation judged in a run.
        CREATE TABLE judged (
            id         INTEGER PRIMARY KEY,
            run        TEXT NOT NULL,
            evaluation TEXT NOT NULL,      -- pytest's node id
            UNIQUE (run, evaluation)
        );
        CREATE INDEX judged_by_evaluation ON judged (evaluation, run);

        -- How one trial of one case on one role ended.
        CREATE TABLE outcome (
            judged     INTEGER NOT NULL,
            case_id    TEXT NOT NULL,
            role       TEXT NOT NULL,
            trial      INTEGER NOT NULL,
            completion INTEGER,            -- the answer that was graded, NULL: the call failed
            key        BLOB,               -- of the request, where the call failed or the completion was deleted
            passed     INTEGER,            -- NULL: there is no grade
            score      REAL,               -- in [0, 1], NULL: there is no grade
            failure    TEXT,               -- kind of failure, NULL: there are grades
            grades     BLOB NOT NULL,      -- JSON list of [name, score, passed, reason, against]
            PRIMARY KEY (judged, case_id, role, trial)
        ) WITHOUT ROWID;
        CREATE INDEX outcome_by_completion ON outcome (completion) WHERE completion IS NOT NULL;
        CREATE INDEX outcome_by_key ON outcome (key) WHERE key IS NOT NULL;
        CREATE TRIGGER completion_deleted BEFORE DELETE ON completion
            BEGIN UPDATE outcome SET key = OLD.key WHERE completion = OLD.id¦ END;
        """,
    ),
    (
        "what each candidate on a dataset spent of the level, and those that count no longer",
        """
        ALTER TABLE attempt ADD COLUMN share REAL;      -- of alpha, NULL from versions that held the k-th to alpha / k
        ALTER TABLE attempt ADD COLUMN number INTEGER;  -- what `distilltest attempts forget` calls it by
        UPDATE attempt SET number = (
            SELECT count(*) FROM attempt AS one WHERE (one.at, one.dataset, one.evaluation, one.model, one.prompt)
                <= (attempt.at, attempt.dataset, attempt.evaluation, attempt.model, attempt.prompt)
        );
        CREATE TABLE forgotten_attempt (
            number     INTEGER PRIMARY KEY,
            dataset    TEXT NOT NULL,
            evaluation TEXT NOT NULL,
            model      TEXT NOT NULL,
            prompt     TEXT NOT NULL,
            name       TEXT NOT NULL,
            at         REAL NOT NULL,
            share      REAL,
            forgotten  REAL NOT NULL,     -- Unix time
            reason     TEXT NOT NULL
        );
        """,
    ),
]

Progress = Callable[[int, int], None]
"""Called with the number of rows moved so far, and the total."""


def silent(done: int, total: int) -> None:
    """Show no progress."""


def migrate(connection: sqlite3.Connection, progress: Progress = silent) -> None:
    """Migrate a store to the newest schema, one transaction per step. If killed, it continues the next time.

    A new store is created in one transaction, because each one waits for the disk.

    Raises:
        ValueError: The store was written by a newer distilltest.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    newest = len(MIGRATIONS)
    if version > newest:
        raise ValueError(f"it has schema {version}, and this distilltest knows {newest}")
    while version < newest:
        connection.execute("BEGIN IMMEDIATE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version >= newest:
            connection.execute("ROLLBACK")  # another process was faster
            break
        reached = version + 1 if version else newest
        for _, script in MIGRATIONS[version:reached]:
            for statement in _COMMENT.sub("", script).split(";"):
                if statement.strip():
                    connection.execute(statement.replace("¦", ";"))  # within a trigger
        if version == 0:
            drop(connection)
        connection.execute(f"PRAGMA user_version = {reached}")
        connection.execute("COMMIT")
        version = reached
    if left_to_move(connection):
        move(connection, progress)
