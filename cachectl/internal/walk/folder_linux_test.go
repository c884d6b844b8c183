package walk

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNoNameOfAPathMayBeALink(t *testing.T) {
	base := t.TempDir()
	write(t, base, map[string]int{"a/b/c/file": 1})
	for link, to := range map[string]string{"l": "a", "a/l": "b", "a/b/l": "c", "a/b/out": "/"} {
		if err := os.Symlink(to, filepath.Join(base, link)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := openNative(base)
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()
	fd := root.(*linuxFolder).fd
	before := descriptors(t)
	ways := map[string]func(string) (int, error){
		"by the kernel":   func(rel string) (int, error) { return openBelow(fd, rel) },
		"name after name": func(rel string) (int, error) { return openByName(fd, rel) },
	}
	for way, open := range ways {
		for rel, want := range map[string]bool{
			".": true, "a": true, "a/b": true, "./a/b/c": true, "a/b/c": true,
			"l": false, "l/b": false, "l/b/c": false, "a/l": false, "a/l/c": false, "a/b/l": false, "a/b/out": false, "a/b/out/tmp": false,
			"a/b/c/file": false, "a/x": false,
		} {
			opened, err := open(rel)
			if err == nil {
				unix.Close(opened)
			}
			if (err == nil) != want {
				t.Errorf("%s: %s: %v", way, rel, err)
			}
			if err != nil && !vanished(err) {
				t.Errorf("%s: %s: %v is not taken for something else that stands there now", way, rel, err)
			}
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc:", err)
	}
	return len(list)
}
