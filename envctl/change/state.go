package change

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"gpx/envctl/advice"
)

// keepFor is how long a before-image is kept: long enough to regret a change,
// short enough for a file that may hold a credential.
const keepFor = 30 * 24 * time.Hour

// ExpiryFile is the name, in the state directory, of the file that exists
// while a change waits for its end. It holds that instant in Unix seconds.
const ExpiryFile = "expiry"

// A state is the locked state directory.
type state struct {
	dir    string
	unlock func()
}

// lock takes the state directory; other gpx processes wait. The lock goes with
// the process that holds it, however that ends.
func (c *Changer) lock() (*state, error) {
	dir := c.o.StateDir
	if dir == "" {
		var err error
		if dir, err = DefaultStateDir(); err != nil {
			return nil, err
		}
	}
	err := makePrivate(dir, filepath.Join(dir, "undo"))
	if err == nil {
		var unlock func()
		if unlock, err = lockedfile.MutexAt(filepath.Join(dir, "lock")).Lock(); err == nil {
			return &state{dir: dir, unlock: unlock}, nil
		}
	}
	return nil, advice.Add(fmt.Errorf("state directory: %w", err), "set XDG_STATE_HOME to a directory of your own that can be written")
}

// makePrivate makes the directories, or closes those that others may enter: an
// undo file says what to write where, so whoever could put one there could
// have gpx write any file. It fails where somebody else owns such a directory.
func makePrivate(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(dir, 0o700); err != nil {
				return err
			}
		}
	}
	return nil
}

// A kept is the content of an undo file.
type kept struct {
	ID    string `json:"id"`
	Steps []Step `json:"steps"`
}

func (s *state) undoFile(id string) string { return filepath.Join(s.dir, "undo", id) }

// validID keeps an ID from naming a file elsewhere.
func validID(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// keep writes the undo file of r, durably, readable by the user alone.
func (s *state) keep(r Record, steps []Step) error {
	if !validID(r.ID) {
		return fmt.Errorf("%q is not fit for an ID", r.ID)
	}
	data, err := json.Marshal(kept{ID: r.ID, Steps: steps})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.undoFile(r.ID), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		s.forget(r.ID)
		return err
	}
	return syncDir(filepath.Dir(f.Name()))
}

// load reads the undo file of id; fs.ErrNotExist when there is none. An
// unreadable one (cut short by SIGKILL) counts as none: nothing is touched
// before the file is whole.
func (s *state) load(id string) ([]Step, error) {
	if !validID(id) {
		return nil, fs.ErrNotExist
	}
	data, err := os.ReadFile(s.undoFile(id))
	if err != nil {
		return nil, err
	}
	var k kept
	if json.Unmarshal(data, &k) != nil || k.ID != id {
		return nil, fs.ErrNotExist
	}
	return k.Steps, nil
}

func (s *state) forget(id string) {
	if validID(id) {
		os.Remove(s.undoFile(id))
	}
}

// An undoEntry is one file of the undo directory.
type undoEntry struct {
	id string
	at time.Time
}

func (s *state) list() ([]undoEntry, error) {
	files, err := os.ReadDir(filepath.Join(s.dir, "undo"))
	if err != nil {
		return nil, err
	}
	var es []undoEntry
	for _, f := range files {
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() {
			es = append(es, undoEntry{f.Name(), info.ModTime()})
		}
	}
	return es, nil
}

// expiry makes the marker hold at, or removes it when at is zero.
func (s *state) expiry(at time.Time) error {
	path := filepath.Join(s.dir, ExpiryFile)
	want := image{}
	if !at.IsZero() {
		want = image{Exists: true, Data: []byte(strconv.FormatInt(at.Unix(), 10) + "\n"), Mode: 0o600}
	}
	if now, err := readImage(path); err == nil && now.equal(want) {
		return nil
	}
	removeLeftovers(path, "new")
	return put(path, "new", want)
}
