package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestToolchainCheck runs what `make` runs first, on machines that lack
// something.
func TestToolchainCheck(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("sh is not on PATH")
	}
	goodGo := fakeGo("go1.99.0", "1")
	for _, test := range []struct {
		name  string
		files map[string]string // programs on PATH
		ok    bool
		says  []string
	}{
		{"everything", map[string]string{"go": goodGo, "cc": ""}, true, nil},
		{"a release candidate", map[string]string{"go": fakeGo("go1.99rc1", "1"), "cc": ""}, true, nil},
		{"a development build", map[string]string{"go": fakeGo("go1.99-abcdef X:some", "1"), "cc": ""}, true, nil},
		{"no go", map[string]string{"cc": ""}, false, []string{"no 'go' on PATH", "apt-get install golang-go", "dnf install golang", "brew install go"}},
		{"go too old", map[string]string{"go": fakeGo("go1.22.4", "1"), "cc": ""}, false, []string{"'go' is 1.22.4", "apt-get install golang-go", "GOTOOLCHAIN="}},
		{"no C compiler", map[string]string{"go": fakeGo("go1.99.0", "0")}, false, []string{"no 'cc' on PATH", "apt-get install gcc", "dnf install gcc", "xcode-select --install"}},
		{"cgo switched off", map[string]string{"go": fakeGo("go1.99.0", "0"), "cc": ""}, false, []string{"CGO_ENABLED is 0"}},
		{"nothing at all", nil, false, []string{"no 'go' on PATH", "C compiler"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bin := t.TempDir()
			for name, text := range test.files {
				if err := os.WriteFile(filepath.Join(bin, name), []byte("#!"+sh+"\n"+text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(sh, ".ci/toolchain")
			cmd.Dir = root(t)
			cmd.Env = []string{"PATH=" + bin}
			out, err := cmd.CombinedOutput()
			if (err == nil) != test.ok {
				t.Errorf("passed = %v, want %v\n%s", err == nil, test.ok, out)
			}
			for _, want := range test.says {
				if !strings.Contains(string(out), want) {
					t.Errorf("does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

func fakeGo(version, cgo string) string {
	return `case $2 in GOVERSION) echo "` + version + `";; CC) echo cc;; CGO_ENABLED) echo ` + cgo + `;; esac` + "\n"
}
