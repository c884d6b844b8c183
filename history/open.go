package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/rogpeppe/go-internal/lockedfile"

	"gpx/envctl/change"
	"gpx/envctl/redact"
)

// busyTimeout is how long a statement waits for another gpx process. Their
// transactions take milliseconds; who waits longer than a person notices gets
// a memory instead.
const busyTimeout = 2 * time.Second

// Options configure a [Store].
type Options struct {
	Now  func() time.Time // nil means time.Now
	Busy time.Duration    // how long to wait for another process; 0 means 2 s

	// Named says that a person chose the path. A file there that is no
	// database is then somebody's, and left alone; gpx's own is set aside.
	Named bool
}

// A Store is the open database, or, when that cannot be used, a memory that
// ends with the process. Its methods may be called from several goroutines.
type Store struct {
	path    string
	now     func() time.Time
	busy    time.Duration
	db      *sql.DB // nil: memory
	journal *journal

	recorder atomic.Pointer[recorderState] // of this process; nil while it does not record

	recordsMu sync.Mutex
	records   *records // what was seen; nil until it is asked for

	mu       sync.Mutex
	notices  []string
	settings map[string]string // memory only
	projects []string          // memory only
}

// DefaultPath is $XDG_STATE_HOME/gpx/history.db, or "" where there is no home.
func DefaultPath() string {
	dir, err := change.DefaultStateDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "history.db")
}

// Open opens or creates the database at path. It always returns a usable
// store, except when ctx ends: what is wrong with the file is its Notice.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Busy == 0 {
		o.Busy = busyTimeout
	}
	s := &Store{path: path, now: o.Now, busy: o.Busy, settings: map[string]string{}}
	err := s.openShared(ctx)
	switch {
	case o.Named && errors.Is(err, errNotDatabase):
	case damaged(err):
		err = s.replace(ctx)
	}
	if err := ctx.Err(); err != nil {
		s.Close()
		return nil, fmt.Errorf("history: %s: %w", redact.Clean(path), err)
	}
	if err != nil {
		s.degrade(err)
	}
	s.journal = &journal{s: s, memory: change.NewMemoryJournal(), inMemory: map[string]bool{}}
	return s, nil
}

// openShared opens while no other process sets the file aside. SQLite knows
// its -wal by name: a connection to a damaged file that closes after the file
// was renamed would remove the log of the new one, and the changes in it.
func (s *Store) openShared(ctx context.Context) error {
	if s.path == "" {
		return errors.New("there is no place for it, because neither HOME nor XDG_STATE_HOME is set")
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	// To read is to lock it shared (cmd/go/internal/lockedfile).
	lock, err := lockedfile.OpenFile(s.lockPath(), os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(s.open(ctx), lock.Close())
}

// lockPath is the file that is locked, shared to open the database and
// exclusively to set it aside.
func (s *Store) lockPath() string { return s.path + ".lock" }

// open connects, checks and migrates. On an error nothing stays open.
func (s *Store) open(ctx context.Context) error {
	if err := private(s.path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", dsn(s.path, s.busy, "FULL"))
	if err != nil {
		return err
	}
	// One connection: statements of one process never wait for each other's
	// locks, and the pragmas of the DSN run once.
	db.SetMaxOpenConns(1)
	err = migrate(ctx, db, journalMode(s.path))
	if err == nil {
		err = check(ctx, db, s.path)
	}
	if err != nil {
		db.Close()
		return err
	}
	s.db = db
	return nil
}

// checkWhole is the size up to which a file is checked page by page when it is
// opened; 256 KiB take 0.3 ms. Of a larger one only the tables that every
// start reads are looked at.
const checkWhole = 256 << 10

// check finds damage before something is built on it.
func check(ctx context.Context, db *sql.DB, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > checkWhole {
		var n int
		return db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM changes) + (SELECT count(*) FROM change_actions) +
			(SELECT count(*) FROM settings) + (SELECT count(*) FROM projects)`).Scan(&n)
	}
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return sqlite3.Error{Code: sqlite3.ErrCorrupt}
	}
	return nil
}

// private makes the file readable by its user alone before SQLite sees it; the
// -wal and -shm files take its mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if info.Size() > 0 && !hasMagic(f) {
		// Said here, before SQLite sees it: it would drop the -wal.
		return errNotDatabase
	}
	if info.Mode().Perm()&0o077 != 0 {
		return f.Chmod(0o600)
	}
	return nil
}

// errNotDatabase is the error for a file that holds something else.
var errNotDatabase = errors.New("it is not a database of gpx; name another file with --db")

// hasMagic reports whether f begins as every SQLite 3 database does
// (sqlite.org/fileformat.html, 1.3.1).
func hasMagic(f *os.File) bool {
	const magic = "SQLite format 3\x00"
	head := make([]byte, len(magic))
	_, err := f.ReadAt(head, 0)
	return err == nil && string(head) == magic
}

// journalMode is WAL, except where WAL cannot work: it needs memory shared by
// all processes (sqlite.org/wal.html).
func journalMode(path string) string {
	if onNetwork(filepath.Dir(path)) {
		return "DELETE"
	}
	return "WAL"
}

// dsn names the file to the driver. Transactions take the write lock when they
// begin, so that none fails half way; synchronous=FULL makes a commit survive
// a power failure, which the journal promises.
func dsn(path string, busy time.Duration, synchronous string) string {
	q := url.Values{
		"_synchronous":  {synchronous},
		"_busy_timeout": {fmt.Sprint(busy.Milliseconds())},
		"_txlock":       {"immediate"},
		"_foreign_keys": {"on"},
	}
	// SQLite reads a file: URI; what would end the path is escaped.
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
	return "file:" + escaped + "?" + q.Encode()
}

// damaged reports whether err says that the file is no sound database.
func damaged(err error) bool {
	var e sqlite3.Error
	return errors.Is(err, errNotDatabase) || errors.As(err, &e) && (e.Code == sqlite3.ErrCorrupt || e.Code == sqlite3.ErrNotADB)
}

// replace sets a damaged file aside and opens a new one. The lock lets one
// process do it; the next one finds the new file.
func (s *Store) replace(ctx context.Context) error {
	unlock, err := lockedfile.MutexAt(s.lockPath()).Lock()
	if err != nil {
		return err
	}
	defer unlock()
	err = s.open(ctx)
	if !damaged(err) {
		return err
	}
	aside, err := setAside(s.path, s.now())
	if err != nil {
		return err
	}
	s.say("the history file was damaged and is kept as %s; a new one was begun, and earlier changes cannot be undone", redact.Clean(filepath.Base(aside)))
	return s.open(ctx)
}

// setAside renames the database and the files that belong to it. Nothing is
// deleted.
func setAside(path string, now time.Time) (string, error) {
	base := path + ".damaged-" + now.UTC().Format("20060102T150405Z")
	aside := base
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s-%d", base, n)
	}
	// The log first: a database that is left without it is older, but sound.
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return "", err
		}
	}
	return aside, nil
}

// degrade makes the store a memory and says why.
func (s *Store) degrade(err error) {
	s.db = nil
	where := ""
	if s.path != "" {
		where = redact.Clean(s.path) + ": "
	}
	s.say("history is kept in memory only: %s%s", where, redact.Text(err.Error()))
}

func (s *Store) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	for _, n := range s.notices {
		if n == text {
			return
		}
	}
	s.notices = append(s.notices, text)
}

// Notice says in one line what was wrong with the file, for a banner; it is
// empty when nothing was. It can change while the store is used.
func (s *Store) Notice() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.notices, "; ")
}

// InMemory reports whether what is stored ends with the process.
func (s *Store) InMemory() bool { return s.db == nil }

// Close closes the database.
func (s *Store) Close() error {
	s.recordsMu.Lock()
	defer s.recordsMu.Unlock()
	var err error
	if s.records != nil {
		err = s.records.close()
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	return err
}
