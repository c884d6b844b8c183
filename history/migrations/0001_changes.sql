-- What gpx changed, what it knows between two starts, and where it was used.
-- Instants are microseconds since 1970, UTC. No secret is stored: values are
-- redacted, and hash is a salted hash of the raw new value.

CREATE TABLE changes (
	seq       INTEGER PRIMARY KEY,
	id        TEXT    NOT NULL UNIQUE,
	at        INTEGER NOT NULL,
	actor     TEXT    NOT NULL,
	title     TEXT    NOT NULL,
	state     TEXT    NOT NULL CHECK (state IN ('begun', 'applied', 'aborted', 'undone')),
	undoes    TEXT    NOT NULL DEFAULT '', -- id of the change that this one takes back
	expires   INTEGER,
	done_at   INTEGER,
	undone_at INTEGER,
	undone_by TEXT    NOT NULL DEFAULT '',
	why       TEXT    NOT NULL DEFAULT ''  -- of an aborted change
) STRICT;

CREATE TABLE change_actions (
	change   INTEGER NOT NULL REFERENCES changes (seq),
	n        INTEGER NOT NULL,
	kind     TEXT    NOT NULL,
	target   TEXT    NOT NULL,
	old      TEXT    NOT NULL,
	new      TEXT    NOT NULL,
	bytes    INTEGER NOT NULL,
	undoable INTEGER NOT NULL,
	hash     TEXT    NOT NULL DEFAULT '',
	PRIMARY KEY (change, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
	root       TEXT PRIMARY KEY,
	first_seen INTEGER NOT NULL,
	last_seen  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
