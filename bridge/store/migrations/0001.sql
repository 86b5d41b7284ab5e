-- The tables of a store.
--
-- Times are milliseconds since 1970. Unsigned 64-bit integers of the network are 8 bytes, big-endian, so that all of
-- them fit and sort. A value with a `key_id` is encrypted under that row of `value_keys` (see bridge/store/encryption.py).

-- Keys

CREATE TABLE store_key (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    database_id BLOB NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Rows are overwritten in place, always with the same size, and never deleted: so none leaves a copy behind.
CREATE TABLE value_keys (
    id INTEGER PRIMARY KEY,
    wrapped BLOB NOT NULL CHECK (length(wrapped) = 72),
    is_free INTEGER NOT NULL CHECK (is_free IN (0, 1))
) STRICT;

CREATE INDEX value_keys_free ON value_keys (id) WHERE is_free = 1;

CREATE TRIGGER value_keys_stay BEFORE DELETE ON value_keys
BEGIN
    SELECT RAISE(ABORT, 'value keys are overwritten, never deleted');
END;

-- What the networks say

CREATE TABLE cursors (
    account TEXT PRIMARY KEY,
    cursor BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    room TEXT NOT NULL,
    last_position INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, room)
) STRICT;

-- The body goes when it is done with; the id stays, to know the event again.
CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL REFERENCES streams (id),
    event_id BLOB,
    at INTEGER NOT NULL,
    body BLOB,
    UNIQUE (stream, event_id)
) STRICT;

CREATE INDEX events_to_do ON events (stream, position) WHERE body IS NOT NULL;
CREATE INDEX events_done ON events (at) WHERE body IS NULL;

CREATE TRIGGER events_move_stream AFTER INSERT ON events
BEGIN
    UPDATE streams SET last_position = NEW.position WHERE id = NEW.stream;
END;

CREATE TABLE positions (
    consumer TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE seen (
    room TEXT NOT NULL,
    identity BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (room, identity)
) STRICT, WITHOUT ROWID;

CREATE INDEX seen_at ON seen (at);

CREATE TABLE fragmented (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room TEXT NOT NULL,
    source TEXT NOT NULL,
    whole BLOB NOT NULL,
    count INTEGER NOT NULL,
    size INTEGER NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (room, source, whole)
) STRICT;

CREATE TABLE fragments (
    fragmented INTEGER NOT NULL REFERENCES fragmented (id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (fragmented, part)
) STRICT;

-- What is to be sent

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    room TEXT NOT NULL,
    envelope BLOB NOT NULL,
    "transaction" TEXT NOT NULL,
    note BLOB,
    fallback TEXT,
    purpose TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    reflected_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    attempted_at INTEGER,
    error TEXT,
    UNIQUE (account, "transaction")
) STRICT;

CREATE INDEX outbox_waiting ON outbox (account, id) WHERE reflected_at IS NULL;
CREATE INDEX outbox_reflected ON outbox (reflected_at) WHERE reflected_at IS NOT NULL;

-- The sealed log, as each role keeps it for itself

CREATE TABLE log_envelopes (
    scope TEXT NOT NULL,
    identity BLOB NOT NULL,
    envelope BLOB NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (scope, identity)
) STRICT;

CREATE INDEX log_envelopes_at ON log_envelopes (scope, at);

CREATE TABLE log_seals (
    scope TEXT NOT NULL,
    group_id BLOB NOT NULL,
    term BLOB NOT NULL,
    seq BLOB NOT NULL,
    seal_hash BLOB NOT NULL,
    seal BLOB NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (scope, group_id, term, seq)
) STRICT;

CREATE INDEX log_seals_at ON log_seals (scope, at);

-- A member's groups and keys

CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    group_id BLOB NOT NULL,
    revision INTEGER NOT NULL,
    UNIQUE (owner, group_id)
) STRICT;

CREATE TABLE group_parts (
    "group" INTEGER NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    epoch BLOB NOT NULL,
    place INTEGER NOT NULL,
    data BLOB NOT NULL,
    key_id INTEGER REFERENCES value_keys (id),
    UNIQUE ("group", kind, epoch, place)
) STRICT;

CREATE TABLE key_packages (
    owner TEXT NOT NULL,
    reference BLOB NOT NULL,
    key_package BLOB NOT NULL,
    bundle BLOB NOT NULL,
    key_id INTEGER NOT NULL REFERENCES value_keys (id),
    is_last_resort INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    spent_at INTEGER,
    UNIQUE (owner, reference)
) STRICT;

CREATE TABLE spent_references (
    reference BLOB NOT NULL,
    group_id BLOB NOT NULL,
    PRIMARY KEY (reference, group_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
    space TEXT NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    key_id INTEGER NOT NULL REFERENCES value_keys (id),
    UNIQUE (space, key)
) STRICT;

CREATE TABLE inbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    group_id BLOB NOT NULL,
    message BLOB NOT NULL,
    key_id INTEGER NOT NULL REFERENCES value_keys (id),
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX inbox_owner ON inbox (owner, position);

CREATE TABLE history (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    group_id BLOB NOT NULL,
    message BLOB NOT NULL,
    key_id INTEGER NOT NULL REFERENCES value_keys (id),
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX history_group ON history (owner, group_id, position);
CREATE INDEX history_at ON history (owner, at);

CREATE TABLE trust (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    account TEXT NOT NULL,
    signature_key BLOB NOT NULL,
    how TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX trust_account ON trust (owner, account, id);

CREATE TRIGGER trust_is_not_changed BEFORE UPDATE ON trust
BEGIN
    SELECT RAISE(ABORT, 'what was decided is added to, never changed');
END;

CREATE TRIGGER trust_is_not_deleted BEFORE DELETE ON trust
BEGIN
    SELECT RAISE(ABORT, 'what was decided is added to, never deleted');
END;

-- Whatever deletes or replaces an encrypted value, a cascade included, overwrites its key.

CREATE TRIGGER group_parts_deleted AFTER DELETE ON group_parts WHEN OLD.key_id IS NOT NULL
BEGIN
    UPDATE value_keys SET wrapped = zeroblob(72), is_free = 1 WHERE id = OLD.key_id;
END;

CREATE TRIGGER group_parts_replaced AFTER UPDATE OF key_id ON group_parts WHEN OLD.key_id IS NOT NEW.key_id
BEGIN
    UPDATE value_keys SET wrapped = zeroblob(72), is_free = 1 WHERE id = OLD.key_id;
END;

CREATE TRIGGER key_packages_deleted AFTER DELETE ON key_packages
BEGIN
    UPDATE value_keys SET wrapped = zeroblob(72), is_free = 1 WHERE id = OLD.key_id;
END;

CREATE TRIGGER records_deleted AFTER DELETE ON records
BEGIN
    UPDATE value_keys SET wrapped = zeroblob(72), is_free = 1 WHERE id = OLD.key_id;
END;

CREATE TRIGGER records_replaced AFTER UPDATE OF key_id ON records WHEN OLD.key_id IS NOT NEW.key_id
BEGIN
    UPDATE value_keys SET wrapped = zeroblob(72), is_free = 1 WHERE id = OLD.key_id;
END;

CREATE TRIGGER inbox_deleted AFTER DELETE ON inbox
BEGIN
    UPDATE value_keys SET wrapped = zeroblob(72), is_free = 1 WHERE id = OLD.key_id;
END;

CREATE TRIGGER history_deleted AFTER DELETE ON history
BEGIN
    UPDATE value_keys SET wrapped = zeroblob(72), is_free = 1 WHERE id = OLD.key_id;
END;
