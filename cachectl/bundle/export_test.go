package bundle

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A bundle in a folder is a GOPROXY that a go command without go.sum, cache or
// network builds from, with the checksum database on.
func TestFolderServesABareGoCommand(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	out := filepath.Join(from.dir, "bundle")
	r := from.mustExport(to(out))
	if r.Modules != len(labMods) || len(r.Unverifiable) != 0 || len(r.LeftOut) != 0 {
		t.Fatalf("exported %+v", r)
	}
	for _, n := range names(t, out) {
		if strings.HasSuffix(n, ".ziphash") || strings.HasSuffix(n, ".lock") {
			t.Errorf("%s is in the bundle", n)
		}
	}
	user := w.home()
	user.project("p", labMods[1:]...)
	proxy := "file://" + out
	user.mustRun("p", proxy, "mod", "tidy")
	user.mustRun("p", proxy, "build", "./...")
	user.mustRun("p", proxy, "mod", "verify")
	if got := strings.TrimSpace(user.mustRun("p", proxy, "list", "-m", "-versions", "lab.example.com/alpha")); got != "lab.example.com/alpha v1.0.0 v1.1.0" {
		t.Errorf("versions: %s", got)
	}
	user.mustRun("p", proxy, "get", "lab.example.com/alpha@latest")
}

// The same content is the same bytes; zstd and tar read them.
func TestExportIsDeterministic(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	for _, ext := range []string{".tar", ".tar.zst"} {
		a, b := filepath.Join(from.dir, "a"+ext), filepath.Join(from.dir, "b"+ext)
		from.mustExport(to(a))
		from.mustExport(to(b))
		if read(t, a) != read(t, b) {
			t.Errorf("two exports to %s differ", ext)
		}
		args := []string{"tf", a}
		if ext == ".tar.zst" {
			args = []string{"-I", "zstd -d", "-tf", a}
		}
		if _, err := exec.LookPath("zstd"); err != nil {
			continue
		}
		list, err := exec.Command("tar", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("tar: %v %s", err, list)
		}
		if first, _, _ := strings.Cut(string(list), "\n"); first != ManifestName {
			t.Errorf("the first file is %s", first)
		}
	}
}
