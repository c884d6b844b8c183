package folder

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What can be made is made by os.MkdirAll, and what cannot fails there for the same
// reason. (Folders that another user owns: see folder_linux_test.go.)
func TestMakeAsMkdirAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, nil, 0o666), os.Mkdir(filepath.Join(dir, "there"), 0o777)); err != nil {
		t.Fatal(err)
	}
	paths := []string{dir, filepath.Join(dir, "there", "a", "b"), file, filepath.Join(file, "a")}
	if os.Symlink(filepath.Join(dir, "nothing"), link) == nil {
		paths = append(paths, link, filepath.Join(link, "a", "b"))
	}
	for _, path := range paths {
		said := Make(path)
		if _, err := os.Stat(filepath.Join(dir, "there", "a")); err == nil {
			t.Fatal("Make has made something")
		}
		checkMake(t, path, said, os.MkdirAll(path, 0o777))
		os.RemoveAll(filepath.Join(dir, "there", "a"))
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for path, can := range map[string]bool{dir: true, filepath.Join(dir, "a", "b"): true, file: false, filepath.Join(file, "a"): false} {
		if err := Keep(path); (err == nil) != can {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func checkMake(t *testing.T, path string, said, real error) {
	t.Helper()
	if (said == nil) != (real == nil) || said != nil && !errors.Is(real, errors.Unwrap(said)) {
		t.Errorf("%s: %v, os.MkdirAll says %v", path, said, real)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, missing := range map[string]string{
		dir: "", filepath.Join(dir, "a"): filepath.Join(dir, "a"), filepath.Join(dir, "a", "b", "c"): filepath.Join(dir, "a"),
	} {
		if at, first, err := Nearest(path); at != dir || first != missing || err != nil {
			t.Errorf("%s: %s, %q, %v; want %s, %q", path, at, first, err, dir, missing)
		}
	}
}
