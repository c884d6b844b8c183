package vlist

import (
	"os"
	"path/filepath"
	"testing"
)

func TestList(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"v1.10.0.mod", "v1.9.0.mod", "v1.9.0.info", "v2.0.0.zip", "v1.0.0-rc.1.mod", "v1.mod", ".mod", "master.mod",
		"v0.0.0-20240107030405-0123456789ab.mod", "v1.9.0.mod123.tmp", "list",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := Of(dir)
	if want := "v0.0.0-20240107030405-0123456789ab\nv1.0.0-rc.1\nv1.9.0\nv1.10.0\n"; err != nil || text != want {
		t.Fatalf("got %q %v, want %q", text, err, want)
	}
	path := filepath.Join(dir, "list")
	for _, text := range []string{"v1.9.0\nv1.10.0\n", "v1.9.0\n", "", "v1.9.0\n"} {
		if err := Overwrite(path, text); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("wrote %q, read %q", text, got)
		}
	}
	if _, err := Of(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
