package relay

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What a killed relay left goes, what another one uses stays.
func TestFolder(t *testing.T) {
	t.Parallel()
	base := filepath.Join(t.TempDir(), "relay")
	one, removeOne, err := Folder(base)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(one, "file"), nil, 0o600))
	killed := filepath.Join(base, "KILLED")
	must(t, os.Mkdir(killed, 0o700))
	must(t, os.WriteFile(filepath.Join(killed, "file"), nil, 0o600))
	must(t, os.WriteFile(killed+lockExt, nil, 0o600))
	two, removeTwo, err := Folder(base)
	must(t, err)
	if _, err := os.Stat(killed); !os.IsNotExist(err) {
		t.Error("what was left stays")
	}
	if _, err := os.Stat(filepath.Join(one, "file")); err != nil || one == two {
		t.Error(one, two, err)
	}
	removeOne()
	removeTwo()
	left, err := os.ReadDir(base)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

const (
	betaInfo = "/lab.example.com/beta/@v/v1.0.0.info"
	betaMod  = "/lab.example.com/beta/@v/v1.0.0.mod"
	betaZip  = "/lab.example.com/beta/@v/v1.0.0.zip"
)

// A relay goes on when somebody has tidied its folder up.
func TestFolderRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.behind(w.lab.Proxy("only", nil))
	w.start()
	for range 2 {
		for _, path := range []string{betaInfo, betaZip, "/lab.example.com/beta/@v/list"} {
			if status, body, _ := w.get(path); status != http.StatusOK {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		must(t, os.RemoveAll(w.o.Dir))
	}
}

// Where the disk is full the next file matters more than those before, and no upstream
// is blamed for it.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	only := w.lab.Proxy("only", nil)
	w.behind(only)
	w.start()
	c := w.relay.core
	sound := c.spares.make
	full := func() (*os.File, error) {
		return nil, &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	use := func(create func() (*os.File, error)) {
		c.spares.making.Wait()
		c.spares.make = create
		for len(c.spares.ready) > 0 {
			drop(<-c.spares.ready)
		}
	}
	if status, _, _ := w.get(betaMod); status != http.StatusOK {
		t.Fatal(status)
	}
	use(func() (*os.File, error) {
		if name, err := c.stage.File(mustParse(t, betaMod).m, "mod"); err != nil || fileThere(name) {
			return full()
		}
		return sound()
	})
	if status, body, _ := w.get(betaZip); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}

	use(full)
	status, body, _ := w.get(betaInfo)
	if status != http.StatusInternalServerError || !strings.Contains(body, "no space") && !strings.Contains(body, "not enough space") || !strings.Contains(body, w.o.Dir) || strings.Contains(body, only.URL()) {
		t.Errorf("%d %s", status, body)
	}
	w.relay.o.Network = true
	if _, body, _ := w.get(betaInfo); strings.Contains(body, w.o.Dir) {
		t.Errorf("other machines are told: %s", body)
	}
	use(sound)
	if status, body, _ := w.get(betaInfo); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	for _, u := range w.relay.Stats().Upstreams {
		if len(u.Classes) > 0 {
			t.Errorf("%+v", u)
		}
	}
}

func mustParse(t *testing.T, path string) target {
	got, err := parse(path)
	must(t, err)
	return got
}

func fileThere(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
