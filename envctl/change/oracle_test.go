package change

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What gpx leaves in the user file is what go env -w and -u leave there, byte
// for byte, and an undo leaves what was there before.
func TestUserFileEqualsGoEnv(t *testing.T) {
	goCommand(t)
	n := times(60, 500, 3000)
	for worker := range 2 {
		t.Run(fmt.Sprintf("worker %d", worker), func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			e := m.env()
			m.cached = e // what it says of the file's values is not compared here
			for i := worker; i < n; i += 2 {
				compare(t, m, e.Go, rand.New(rand.NewPCG(7, uint64(i))), fmt.Sprintf("file %d", i))
			}
		})
	}
}

// compare makes one random file and one random change, by go env and by gpx.
func compare(t *testing.T, m *machine, gocmd string, r *rand.Rand, name string) {
	t.Helper()
	content, exists := randomUserFile(r)
	as := randomAssignments(r)
	theirs := filepath.Join(m.dir, "theirs")
	link := r.IntN(6) == 0
	target := m.file
	os.Remove(m.file)
	os.Remove(theirs)
	must(t, os.MkdirAll(filepath.Dir(m.file), 0o777))
	if link {
		target = filepath.Join(m.dir, "dotfiles-env")
		os.Remove(target)
		must(t, os.Symlink("../../dotfiles-env", m.file))
	}
	mode := []os.FileMode{0o644, 0o600, 0o664}[r.IntN(3)]
	if exists {
		for _, f := range []string{target, theirs} {
			must(t, os.WriteFile(f, content, mode))
			must(t, os.Chmod(f, mode))
		}
	}
	oracle(t, gocmd, m.environ, theirs, as)
	want, _ := readImage(theirs)

	p, err := PlanEnv(m.env(), name, as)
	if err != nil {
		t.Fatalf("%s: %v\n%q %+v", name, err, content, as)
	}
	if p.Empty() {
		if got, _ := readImage(target); !got.equal(want) {
			t.Errorf("%s: gpx would change nothing, go env makes %q of %q", name, want.Data, content)
		}
		return
	}
	m.apply(p)
	got, err := readImage(m.file)
	must(t, err)
	if !got.equal(want) {
		t.Errorf("%s: %+v on %q\n gpx: %q\n  go: %q", name, as, content, got.Data, want.Data)
	}
	if exists && got.Mode != mode {
		t.Errorf("%s: mode %v became %v", name, mode, got.Mode)
	}
	if info, err := os.Lstat(m.file); err != nil || (info.Mode()&os.ModeSymlink != 0) != link {
		t.Errorf("%s: symbolic link %v, now %v", name, link, info.Mode())
	}
	m.undo("")
	back, err := readImage(target)
	must(t, err)
	if back.Exists != exists || !bytes.Equal(back.Data, content) {
		t.Errorf("%s: undo left %q (there: %v), it was %q (there: %v)", name, back.Data, back.Exists, content, exists)
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(target), "*.gpx-*")); len(files) > 0 {
		t.Errorf("%s: left behind: %v", name, files)
	}
}

// oracle does what the plan says with the real go command.
func oracle(t *testing.T, gocmd string, environ []string, file string, as []Assignment) {
	t.Helper()
	set, unset := arguments(as)
	if _, err := os.Stat(file); err == nil && len(unset) > 0 {
		goEnvOn(t, gocmd, environ, file, append([]string{"-u"}, unset...))
	}
	if len(set) > 0 {
		goEnvOn(t, gocmd, environ, file, append([]string{"-w"}, set...))
	}
}

func goEnvOn(t *testing.T, gocmd string, environ []string, file string, args []string) {
	t.Helper()
	cmd := exec.Command(gocmd, append([]string{"env"}, args...)...)
	cmd.Dir = filepath.Dir(file)
	cmd.Env = append(append([]string{}, environ...), "GOENV="+file, "GOTOOLCHAIN=local")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go env %q: %v: %s", args, err, out)
	}
}

var knownVars = []string{"GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOFLAGS", "GOTOOLCHAIN", "GOINSECURE", "GOVCS", "GOAUTH"}

// sane are values that do not keep the go command from starting.
var sane = map[string][]string{
	"GOPROXY":     {"https://a.example", "https://a.example|https://b.example,direct", "off", "direct", "https://user:pass@a.example/x=y", "ftp://bad||", "日本語", "a b  c"},
	"GOSUMDB":     {"off", "sum.golang.org", "sum.golang.google.cn", "sum.golang.org https://sum.example"},
	"GOFLAGS":     {"-mod=mod", "-modcacherw -trimpath", ""},
	"GOTOOLCHAIN": {"local", "auto", "go1.21.0"},
	"GOVCS":       {"*:git", ""},
	"GOAUTH":      {"netrc", "off"},
}

func randomOf(r *rand.Rand, name string) string {
	if vs := sane[name]; vs != nil {
		return vs[r.IntN(len(vs))]
	}
	return []string{"*.corp.example", "a.example/x,b.example", "none", "", "#not a comment", "x=y", "é\u202e"}[r.IntN(7)]
}

// randomUserFile makes what people and tools leave in such files.
func randomUserFile(r *rand.Rand) (data []byte, exists bool) {
	if r.IntN(12) == 0 {
		return nil, false
	}
	var b bytes.Buffer
	if r.IntN(12) == 0 {
		b.WriteString("\ufeff")
	}
	for range r.IntN(12) {
		switch r.IntN(10) {
		case 0:
			b.WriteString("# a comment = with a sign")
		case 1: // blank line
		case 2:
			b.WriteString("lower=case")
		case 3:
			b.WriteString(" GOPROXY=https://indented.example")
		case 4:
			b.WriteString("UNKNOWN_" + fmt.Sprint(r.IntN(3)) + "=some value")
		case 5:
			b.WriteString("no sign at all")
		default:
			name := knownVars[r.IntN(len(knownVars))]
			b.WriteString(name + "=" + randomOf(r, name))
		}
		switch r.IntN(14) {
		case 0:
			b.WriteString("\r\n")
		case 1:
			b.WriteString("\n\n")
		default:
			b.WriteString("\n")
		}
	}
	data = b.Bytes()
	if r.IntN(4) == 0 {
		data = bytes.TrimSuffix(data, []byte("\n"))
	}
	// A GOFLAGS that ends in a carriage return stops every go command, go env
	// -w included.
	for _, line := range strings.Split(string(data), "\n") {
		if strings.HasPrefix(line, "GOFLAGS=") && strings.HasSuffix(line, "\r") {
			data = bytes.ReplaceAll(data, []byte(line), []byte(strings.TrimSuffix(line, "\r")))
		}
	}
	return data, true
}

func randomAssignments(r *rand.Rand) []Assignment {
	names := append([]string{}, knownVars...)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var as []Assignment
	for _, name := range names[:1+r.IntN(4)] {
		if r.IntN(3) == 0 {
			as = append(as, unset(name))
		} else {
			as = append(as, set(name, randomOf(r, name)))
		}
	}
	return as
}
