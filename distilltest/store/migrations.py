"""The schema, as the numbered steps that made it. A step is never changed once released; a new one is added."""

from __future__ import annotations

import sqlite3

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
]


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a store to the newest schema, each step in a transaction of its own.

    Raises:
        ValueError: The store was written by a newer distilltest.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise ValueError(f"it has schema {version}, and this distilltest knows {len(MIGRATIONS)}")
    for number, (_, script) in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] >= number:
            connection.execute("ROLLBACK")  # another process was faster
            continue
        for statement in script.split(";"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
