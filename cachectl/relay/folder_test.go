package relay

import (
	"os"
	"path/filepath"
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
