package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gpx/envctl/bounded"
	"gpx/envctl/change"
	"gpx/history"
)

// Where a command has found nothing to put right ([app.recover]), the next one
// would find nothing either, as long as what was looked at is the same: then it
// needs no database, which takes 3 ms of two processors. A line of a file has it:
//
//	the database     its size and time, while nobody has it open
//	undo/            its time
//	expiry, relay    that there are none
//	the project      that the known ones have it as the last used
//
// The line is believed for settledTime, so that what goes by the clock (images
// past their time, copies of killed processes) waits no longer than that.
type settlement struct {
	file string
	line string // "" where something may have to be put right
	calm bool   // recover found nothing
	root string // of the project that was remembered
}

const settledTime = 15 * time.Minute

// isYoung reports whether what is written right after t may get the same time: a
// file system counts ticks of the kernel, of 10 ms at most, or, as FAT does,
// seconds in twos.
func isYoung(t, now time.Time) bool {
	age := 100 * time.Millisecond
	if t.Nanosecond()%int(time.Millisecond) == 0 {
		age = 2 * time.Second
	}
	return now.Sub(t) < age
}

// settledLine says how what recover looks at is now; "" where it cannot be told,
// or there is something to look at.
func (a *app) settledLine() string {
	state, db := a.stateDir, a.database()
	if state == "" {
		var err error
		if state, err = change.DefaultStateDir(); err != nil {
			return ""
		}
	}
	for _, name := range []string{filepath.Join(state, change.ExpiryFile), a.relayFile()} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return ""
		}
	}
	at, ok := history.AtRest(db)
	if !ok {
		return ""
	}
	undo, err := os.Stat(filepath.Join(state, "undo"))
	if err != nil || isYoung(undo.ModTime(), a.now()) || isYoung(at.Time, a.now()) {
		return ""
	}
	return fmt.Sprintf("gpx settled 1 %q %d %d %d", db, at.Size, at.Time.UnixNano(), undo.ModTime().UnixNano())
}

// settled reports whether there is nothing to recover.
func (a *app) settled() bool {
	a.rest = settlement{file: a.stateFile("settled", a.database()), line: a.settledLine()}
	if a.rest.line == "" || a.rest.file == "" {
		return false
	}
	info, err := os.Stat(a.rest.file)
	if err != nil {
		return false
	}
	if age := a.now().Sub(info.ModTime()); age < 0 || age > settledTime {
		return false
	}
	data, err := bounded.ReadFile(a.rest.file, 1<<16)
	text, whole := bytes.CutSuffix(data, []byte("\n"))
	line, root, ok := bytes.Cut(text, []byte("\n"))
	if err != nil || !whole || !ok || string(line) != a.rest.line {
		return false
	}
	a.rest.root = string(root)
	return true
}

// settle writes down that there was nothing to recover, when that was so from
// before the database was opened until it is closed.
func (a *app) settle() {
	s := a.rest
	if !s.calm || s.line == "" || s.file == "" || s.root == "" || a.settledLine() != s.line {
		return
	}
	// One that is cut says another line, or does not end: it is looked again.
	_ = os.WriteFile(s.file, []byte(s.line+"\n"+s.root+"\n"), 0o600)
}
