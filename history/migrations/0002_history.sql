-- What was seen: samples, their rollups, frames, incidents, and who records.
-- Instants are microseconds since 1970, UTC, but where it is said. Everything is
-- appended in the order of time, so that pages are filled and ranges are read in
-- one piece. No secret is stored: texts are redacted.

CREATE TABLE endpoints (
	id   INTEGER PRIMARY KEY,
	url  TEXT NOT NULL,
	kind TEXT NOT NULL,
	UNIQUE (url, kind)
) STRICT;

CREATE TABLE classes (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE samples (
	id       INTEGER PRIMARY KEY, -- milliseconds when it began << 12 | endpoint & 4095
	endpoint INTEGER NOT NULL,
	class    INTEGER NOT NULL,
	total    INTEGER NOT NULL,    -- microseconds
	status   INTEGER,             -- of HTTP
	phases   BLOB                 -- microseconds of dns, tcp, tls, ttfb, as varints
) STRICT;

-- One row per minute, hour or day, and endpoint, made of samples that are complete.
CREATE TABLE minutes (
	id      INTEGER PRIMARY KEY, -- minutes since 1970 << 20 | endpoint
	samples INTEGER NOT NULL,
	lost    INTEGER NOT NULL,
	classes BLOB    NOT NULL,    -- class and count, as varints
	sketch  BLOB                 -- of the milliseconds of what was answered
) STRICT;

CREATE TABLE hours (
	id      INTEGER PRIMARY KEY, -- hours since 1970 << 20 | endpoint
	samples INTEGER NOT NULL,
	lost    INTEGER NOT NULL,
	classes BLOB    NOT NULL,
	sketch  BLOB
) STRICT;

CREATE TABLE days (
	id      INTEGER PRIMARY KEY, -- days since 1970 << 20 | endpoint
	samples INTEGER NOT NULL,
	lost    INTEGER NOT NULL,
	classes BLOB    NOT NULL,
	sketch  BLOB
) STRICT;

-- How far the rollups have come: microseconds of each of the three.
CREATE TABLE marks (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Snapshots that differ from the one before in more than times.
CREATE TABLE frames (
	id   INTEGER PRIMARY KEY, -- microseconds
	data BLOB NOT NULL        -- JSON, compressed
) STRICT;

CREATE TABLE incidents (
	id         INTEGER PRIMARY KEY AUTOINCREMENT, -- a number is never another incident's
	opened     INTEGER NOT NULL,
	detected   INTEGER NOT NULL,
	mitigated  INTEGER,
	resolved   INTEGER,
	headline   TEXT    NOT NULL,
	scope      TEXT    NOT NULL,
	causes     TEXT    NOT NULL,            -- JSON
	endpoints  TEXT    NOT NULL,            -- JSON
	chain      TEXT    NOT NULL,
	note       TEXT    NOT NULL DEFAULT '',
	unobserved INTEGER NOT NULL DEFAULT 0,  -- microseconds
	settings   TEXT    NOT NULL,            -- JSON
	synthetic  INTEGER NOT NULL DEFAULT 0,
	digest     TEXT    UNIQUE,              -- of what was imported; NULL when it was seen here
	recording  BLOB                         -- JSON, compressed: of another machine, or older than the samples
) STRICT;

CREATE INDEX incidents_open ON incidents (id) WHERE resolved IS NULL AND digest IS NULL;

CREATE TABLE incident_events (
	incident INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
	n        INTEGER NOT NULL,
	event    TEXT    NOT NULL, -- JSON
	PRIMARY KEY (incident, n)
) STRICT, WITHOUT ROWID;

-- The process that records; the others observe.
CREATE TABLE lease (
	id        INTEGER PRIMARY KEY CHECK (id = 1),
	token     TEXT    NOT NULL,
	pid       INTEGER NOT NULL,
	started   INTEGER NOT NULL,
	heartbeat INTEGER NOT NULL
) STRICT;
