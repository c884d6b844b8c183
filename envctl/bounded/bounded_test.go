package bounded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, size int) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(write("target", 3), link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	for _, tt := range []struct {
		name, path string
		size       int
		err        error
	}{
		{"a file", write("file", 7), 7, nil},
		{"an empty one", write("empty", 0), 0, nil},
		{"a file that ends at the bound", write("full", 8), 8, nil},
		{"one byte more", write("more", 9), 0, ErrTooLarge},
		{"behind a symbolic link", link, 3, nil},
		{"the null device", os.DevNull, 0, nil},
		{"a directory", dir, 0, syscall.EISDIR},
		{"nothing", filepath.Join(dir, "none"), 0, fs.ErrNotExist},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data, err := ReadFile(tt.path, 8)
			if len(data) != tt.size || !errors.Is(err, tt.err) {
				t.Errorf("got %d bytes and %v, want %d and %v", len(data), err, tt.size, tt.err)
			}
			var pe *fs.PathError
			if err != nil && (!errors.As(err, &pe) || pe.Path != tt.path) {
				t.Errorf("the error does not name the file: %v", err)
			}
		})
	}
}
