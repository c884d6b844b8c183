package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"gpx/envctl/env"
	"gpx/envctl/folder"
	"gpx/envctl/redact"
)

// little is when a disk counts as full: a toolchain takes about 250 MB, and its
// zip 70 MB more while it is unpacked.
const little = 500 << 20

// Look reads what only the machine knows. It changes nothing.
func Look(e *env.Env) Machine {
	var m Machine
	if e == nil {
		return m
	}
	for _, name := range []string{"GOMODCACHE", "GOCACHE"} {
		path := e.Get(name)
		if !filepath.IsAbs(path) { // "off", or what the go command refuses
			continue
		}
		m.Folders = append(m.Folders, look(name, path))
	}
	if e.UserFile != "" && !e.UserFileOff {
		m.Folders = append(m.Folders, look("GOENV", filepath.Dir(e.UserFile)))
	}
	m.GoBuilt = built(e.GOROOT)
	return m
}

// look finds the nearest folder that exists and asks what can be written there.
func look(name, path string) Folder {
	f := Folder{Name: name, Path: path, Free: -1}
	at, missing, err := folder.Nearest(path)
	f.Missing = missing != ""
	if err != nil {
		f.Err = redact.Text(err.Error())
		return f
	}
	f.Writable = folder.Writable(at)
	f.Free = free(at)
	return f
}

// built is the time in $GOROOT/VERSION: its second line reads "time" and an
// RFC 3339 instant.
func built(goroot string) time.Time {
	if goroot == "" {
		return time.Time{}
	}
	data, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(data)) {
		if at, ok := strings.CutPrefix(strings.TrimSpace(line), "time "); ok {
			t, _ := time.Parse(time.RFC3339, at)
			return t
		}
	}
	return time.Time{}
}

func folderSteps(f Facts) []Step {
	var steps []Step
	for _, d := range f.Machine.Folders {
		at := redact.Clean(d.Path)
		s := Step{Name: d.Name, State: OK, Detail: at}
		if d.Free >= 0 {
			s.Detail += ", " + humanize.Bytes(uint64(d.Free)) + " free"
		}
		if d.Missing {
			s.Detail += ", not there yet"
		}
		switch {
		case d.Err != "":
			s.State, s.Detail, s.Hint = Fail, at+": "+d.Err, "correct "+d.Name+": gpx env "+d.Name
		case !d.Writable:
			s.State, s.Detail, s.Hint = Fail, at+" cannot be written", "check who owns it: a run of go as another user leaves such folders"
		case d.Free >= 0 && d.Free < little && d.Name != "GOENV":
			s.State, s.Hint = Warn, "make room: go clean -cache frees the build cache"
		}
		steps = append(steps, s)
	}
	return steps
}
