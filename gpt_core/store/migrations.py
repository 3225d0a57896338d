"""The tables of the store, as numbered migrations.

Rows are only added, with three exceptions: a request's row is completed by its answer, a
checkpoint's is deleted with its folder, and all of a run's rows with the run. Deletions of runs are
themselves recorded.
"""

# One script per schema version; the file's version is SQLite's user_version.
MIGRATIONS = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        created_at REAL NOT NULL,     -- seconds since 1970
        owner TEXT NOT NULL,
        preset TEXT NOT NULL,
        model_config TEXT NOT NULL,   -- JSON
        training_config TEXT NOT NULL,
        text_name TEXT NOT NULL,
        text_sha256 TEXT NOT NULL,
        train_tokens INTEGER NOT NULL,
        val_tokens INTEGER NOT NULL,
        total_steps INTEGER NOT NULL,
        versions TEXT NOT NULL        -- JSON: of software and machine
    );
    CREATE TABLE transitions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL REFERENCES runs (id),
        at REAL NOT NULL,
        state TEXT NOT NULL,
        actor TEXT NOT NULL,
        message TEXT NOT NULL
    );
    CREATE TABLE steps (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL REFERENCES runs (id),
        global_step INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        tokens_seen INTEGER NOT NULL,
        loss REAL NOT NULL,
        grad_norm REAL NOT NULL,
        seconds REAL NOT NULL,        -- time spent on the run so far
        UNIQUE (run_id, global_step)
    );
    CREATE TABLE evaluations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL REFERENCES runs (id),
        global_step INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        tokens_seen INTEGER NOT NULL,
        train_loss REAL NOT NULL,
        val_loss REAL NOT NULL,
        seconds REAL NOT NULL,
        UNIQUE (run_id, global_step)
    );
    CREATE TABLE samples (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL REFERENCES runs (id),
        global_step INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        tokens_seen INTEGER NOT NULL,
        start_context TEXT NOT NULL,
        text TEXT NOT NULL,
        seconds REAL NOT NULL,
        UNIQUE (run_id, global_step)
    );
    CREATE TABLE probes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL REFERENCES runs (id),
        global_step INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        tokens_seen INTEGER NOT NULL,
        probe INTEGER NOT NULL,       -- which of the configuration's probes
        loss REAL NOT NULL,
        target_probas TEXT NOT NULL,  -- JSON
        predicted_ids TEXT NOT NULL,  -- JSON
        seconds REAL NOT NULL,
        UNIQUE (run_id, global_step, probe)
    );
    CREATE TABLE checkpoints (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL REFERENCES runs (id),
        global_step INTEGER NOT NULL,
        kind TEXT NOT NULL,           -- 'whole', 'weights' or 'initial'
        folder TEXT NOT NULL,         -- relative to the runs directory
        bytes INTEGER NOT NULL,
        at REAL NOT NULL,
        UNIQUE (run_id, global_step, kind)
    );
    CREATE INDEX transitions_by_run ON transitions (run_id, id);
    CREATE INDEX steps_by_run ON steps (run_id, id);
    CREATE INDEX evaluations_by_run ON evaluations (run_id, id);
    CREATE INDEX samples_by_run ON samples (run_id, id);
    CREATE INDEX probes_by_run ON probes (run_id, id);
    CREATE INDEX checkpoints_by_run ON checkpoints (run_id, id);
    """,
    """
    ALTER TABLE steps ADD COLUMN learning_rate REAL NOT NULL DEFAULT 0;
    -- Of the process, in bytes.
    ALTER TABLE steps ADD COLUMN memory INTEGER NOT NULL DEFAULT 0;
    -- Until this version it was constant.
    UPDATE steps SET learning_rate = (
        SELECT json_extract(training_config, '$.learning_rate') FROM runs WHERE runs.id = run_id
    );
    -- JSON: (start, end) token positions of copied spans; NULL where not measured.
    ALTER TABLE samples ADD COLUMN copied TEXT;
    CREATE TABLE updates (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL REFERENCES runs (id),
        global_step INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        tokens_seen INTEGER NOT NULL,
        learning_rate REAL NOT NULL,
        loss_before REAL NOT NULL,
        loss_after REAL NOT NULL,
        grad_norm REAL NOT NULL,
        grad_norms TEXT NOT NULL,     -- JSON: pairs of part and norm
        changes TEXT NOT NULL,        -- JSON: pairs of part and relative change
        largest_change REAL NOT NULL,
        largest_change_in TEXT NOT NULL,
        seconds REAL NOT NULL
    );
    CREATE INDEX updates_by_run ON updates (run_id, id);
    """,
    """
    -- A run's name and note: the newest row counts.
    CREATE TABLE labels (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL REFERENCES runs (id),
        at REAL NOT NULL,
        actor TEXT NOT NULL,
        name TEXT NOT NULL,
        note TEXT NOT NULL
    );
    CREATE INDEX labels_by_run ON labels (run_id, id);
    CREATE TABLE deletions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL,         -- of a run that no longer exists
        at REAL NOT NULL,
        actor TEXT NOT NULL
    );
    -- Finds the lowest validation loss of each run without scanning its evaluations.
    CREATE INDEX evaluations_by_loss ON evaluations (run_id, val_loss);
    """,
    """
    -- The weights that a run began with; empty where they were random.
    ALTER TABLE runs ADD COLUMN initial_name TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN initial_sha256 TEXT NOT NULL DEFAULT '';
    """,
    """
    -- Requests that were refused.
    CREATE TABLE refusals (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL,
        at REAL NOT NULL,
        actor TEXT NOT NULL,
        doing TEXT NOT NULL
    );
    -- The signed-in browsers of a class's members.
    CREATE TABLE members (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        member_id TEXT NOT NULL,      -- an actor
        at REAL NOT NULL,
        name TEXT NOT NULL,
        token_sha256 TEXT NOT NULL UNIQUE,
        revoked_by TEXT               -- an actor; NULL while it is valid
    );
    """,
    """
    -- What its owner shares with the class, or no longer does: the newest row counts.
    CREATE TABLE shares (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,           -- 'run', 'text' or 'model'
        key TEXT NOT NULL,            -- its ID, hash or key
        at REAL NOT NULL,
        actor TEXT NOT NULL,          -- the owner
        shared INTEGER NOT NULL
    );
    CREATE INDEX shares_by_key ON shares (kind, key, actor, id);
    -- The rules for a class's students: the newest row counts.
    CREATE TABLE class_rules (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        actor TEXT NOT NULL,
        rules TEXT NOT NULL           -- JSON
    );
    """,
    """
    -- Runs are ordered by when they were started, whatever the clock said; the one that comes
    -- with the app is first.
    UPDATE runs SET rowid = (SELECT MIN(0, MIN(rowid)) - 1 FROM runs) WHERE id = 'lamp-room-124m';
    """,
    """
    -- The run's owner and training time: deleting a run gives a student no time back.
    ALTER TABLE deletions ADD COLUMN owner TEXT NOT NULL DEFAULT '';
    ALTER TABLE deletions ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
    """,
    """
    -- The codes with which students return to their runs from another browser.
    CREATE TABLE rejoin_codes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        member_id TEXT NOT NULL,
        at REAL NOT NULL,
        actor TEXT NOT NULL,          -- who issued it
        code_hash TEXT NOT NULL,
        token_sha256 TEXT,            -- of the browser that shows it, NULL if none does
        revoked_by TEXT               -- an actor; NULL while it is valid
    );
    """,
    """
    -- The vocabularies that runs have, each once; GPT-2's is not among them.
    CREATE TABLE vocabularies (
        sha256 TEXT PRIMARY KEY,
        tokenizer TEXT NOT NULL       -- JSON: a tokenizer.json
    );
    ALTER TABLE runs ADD COLUMN vocabulary_sha256 TEXT NOT NULL DEFAULT '';
    """,
    """
    -- NULL where not measured: before this version, and exact_match in other texts than tasks.
    ALTER TABLE evaluations ADD COLUMN train_bits_per_byte REAL;
    ALTER TABLE evaluations ADD COLUMN val_bits_per_byte REAL;
    ALTER TABLE evaluations ADD COLUMN train_accuracy REAL;
    ALTER TABLE evaluations ADD COLUMN val_accuracy REAL;
    ALTER TABLE evaluations ADD COLUMN exact_match REAL;
    -- What losses are compared with, as JSON; NULL where not computed.
    ALTER TABLE runs ADD COLUMN baselines TEXT;
    """,
    """
    -- What is inside a run's model at some of its evaluations; all but the attention as JSON.
    CREATE TABLE inside (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL REFERENCES runs (id),
        global_step INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        tokens_seen INTEGER NOT NULL,
        token_ids TEXT NOT NULL,      -- of the probe
        attention BLOB NOT NULL,      -- float16, little-endian
        best_ids TEXT NOT NULL,
        best_probas TEXT NOT NULL,
        target_probas TEXT NOT NULL,
        head_scores TEXT NOT NULL,
        parts TEXT NOT NULL,
        stream_norms TEXT NOT NULL,
        silent_units TEXT NOT NULL,
        seconds REAL NOT NULL,
        UNIQUE (run_id, global_step)
    );
    CREATE INDEX inside_by_run ON inside (run_id, id);
    """,
    """
    -- Runs that another machine trains, which sends their rows here.
    CREATE TABLE published_runs (
        run_id TEXT PRIMARY KEY REFERENCES runs (id),
        origin TEXT NOT NULL,         -- the machine's name
        received_at REAL NOT NULL,    -- when it was last heard of
        cursors TEXT NOT NULL         -- JSON: the last row received of each table, by its ID there
    );
    """,
    """
    -- Requests to live runs of other processes, which serve them between two steps.
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL REFERENCES runs (id),
        actor TEXT NOT NULL,
        command TEXT NOT NULL,        -- 'pause', 'resume', 'stop', 'step' or 'save'
        asked_at REAL NOT NULL,
        answered_at REAL,             -- NULL while it is open
        error TEXT NOT NULL DEFAULT ''  -- why it failed, as a sentence
    );
    CREATE INDEX requests_by_run ON requests (run_id, id);
    CREATE INDEX open_requests ON requests (run_id, id) WHERE answered_at IS NULL;
    """,
)
