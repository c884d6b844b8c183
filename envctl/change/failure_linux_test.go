package change

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gpx/envctl/advice"
)

// nobody runs f as a user without rights on files that are not open to all.
// Root may write everywhere, so the file system's checks are made with another
// user on this thread alone (setfsuid(2)).
func nobody(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	must(t, unix.Setfsuid(65534))
	defer unix.Setfsuid(0)
	f()
}

// openTo lets nobody own what is below dir and pass through its parents.
func openTo(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, 65534, 65534)
	}))
}

func TestReadOnly(t *testing.T) {
	for _, what := range []string{"file", "directory", "file after the plan", "directory after the plan"} {
		t.Run(what, func(t *testing.T) {
			m := newMachine(t)
			m.write(before)
			e := m.env() // the go command is run as the test's user
			openTo(t, m.dir)
			lock := func() {
				if strings.HasPrefix(what, "file") {
					must(t, os.Chmod(m.file, 0o444))
				} else {
					must(t, os.Chmod(filepath.Dir(m.file), 0o555))
				}
			}
			t.Cleanup(func() { os.Chmod(filepath.Dir(m.file), 0o755) })
			if !strings.HasSuffix(what, "the plan") {
				lock()
			}
			var err error
			nobody(t, func() {
				var p *Plan
				if p, err = PlanEnv(e, "test", []Assignment{set("GOPROXY", "off")}); err != nil {
					return
				}
				lock()
				_, err = m.changer.Apply(t.Context(), p)
			})
			oneLine(t, err, "permission denied", "export")
			if m.read() != before {
				t.Errorf("file %q", m.read())
			}
			if files, _ := filepath.Glob(m.file + ".gpx-*"); len(files) > 0 {
				t.Errorf("left behind %v", files)
			}
		})
	}
}

// The disk of the user file, or of the state, is full.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 || os.Getenv("GPX_TEST_SCALE") == "" {
		t.Skip("mount is not permitted: it needs root, and GPX_TEST_SCALE=system")
	}
	for _, where := range []string{"config", "state"} {
		t.Run(where, func(t *testing.T) {
			m := newMachine(t)
			full := filepath.Join(m.dir, where)
			must(t, os.MkdirAll(full, 0o755))
			must(t, syscall.Mount("tmpfs", full, "tmpfs", 0, "size=64k"))
			t.Cleanup(func() { syscall.Unmount(full, syscall.MNT_DETACH) })
			content := before + "\n# " + strings.Repeat("x", 5000) + "\n"
			m.write(content)
			if where == "state" {
				must(t, os.MkdirAll(filepath.Join(full, "undo"), 0o700))
				must(t, os.WriteFile(filepath.Join(full, "lock"), nil, 0o600))
			}
			p := m.plan(set("GOPROXY", "off"))
			fill(t, filepath.Join(full, "filler"))
			_, err := m.changer.Apply(t.Context(), p)
			oneLine(t, err, "no space left on device", "free some space", "nothing was changed")
			if got := advice.Of(err); !strings.HasPrefix(got, "free some space") {
				t.Errorf("it advises %q", got)
			}
			if m.read() != content {
				t.Errorf("file of %d bytes, was %d", len(m.read()), len(content))
			}
			must(t, os.Remove(filepath.Join(full, "filler")))
			m.apply(m.plan(set("GOPROXY", "off")))
			m.undo("")
			if m.read() != content {
				t.Error("undo after the disk had room again")
			}
		})
	}
}

// fill writes path until the file system is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	for err = nil; err == nil; {
		_, err = f.Write(block[:1])
	}
}
