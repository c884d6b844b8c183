package story

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The unit for systemd is one that it accepts without a word, and starts what gpx
// understands.
func TestService(t *testing.T) {
	needs(t, "systemd-analyze")
	t.Parallel()
	unit, err := filepath.Abs("../../../../docs/gpx-watch.service")
	must(t, err)
	home := t.TempDir()
	program := filepath.Join(home, "go", "bin", "gpx") // as the unit has it
	must(t, os.MkdirAll(filepath.Dir(program), 0o755))
	must(t, os.Symlink(gpx, program))
	environ := []string{"HOME=" + home, "XDG_RUNTIME_DIR=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	verify := func(unit string) string {
		out, said, status := run(t, home, environ, "systemd-analyze", "verify", "--user", unit)
		if status != 0 && out+said == "" {
			return "it fails without a word"
		}
		return out + said
	}
	if said := verify(unit); said != "" {
		t.Error(said)
	}

	data, err := os.ReadFile(unit)
	must(t, err)
	wrong := filepath.Join(home, "wrong.service")
	must(t, os.WriteFile(wrong, []byte(strings.ReplaceAll(string(data), "LockPersonality=", "LockPersonalty=")), 0o644))
	if said := verify(wrong); !strings.Contains(said, "LockPersonalty") {
		t.Errorf("nothing is wrong with a setting that there is not: %q", said)
	}

	start := regexp.MustCompile(`(?m)^ExecStart=%h/go/bin/gpx (.*)$`).FindStringSubmatch(string(data))
	if start == nil {
		t.Fatal("the unit starts no gpx")
	}
	if out, said, status := run(t, home, environ, program, append(strings.Fields(start[1]), "--help")...); status != 0 {
		t.Errorf("gpx %s: %s%s", start[1], out, said)
	}
}
