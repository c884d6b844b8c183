package stage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/module"

	"gpx/envctl/project"
	"gpx/probe"
	"gpx/probe/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const other = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// published is a module version as a proxy has it.
func published(t *testing.T) *lab.Module {
	t.Helper()
	m, err := lab.NewModule("lab.example.com/Upper", "v1.0.0", time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC),
		map[string]string{"go.mod": "module lab.example.com/Upper\n", "u.go": "package upper\n"})
	must(t, err)
	return m
}

// sums are the go.sum lines of a version with these hashes; "" has no line.
func sums(m module.Version, zip, mod string) project.Sums {
	s := project.Sums{}
	if zip != "" {
		s[m] = []string{zip}
	}
	if mod != "" {
		s[module.Version{Path: m.Path, Version: m.Version + "/go.mod"}] = []string{mod}
	}
	return s
}

func (s *Stage) take(t *testing.T, m *lab.Module) (zip, mod Proof, err error) {
	t.Helper()
	tmp, err := s.Temp()
	must(t, err)
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(m.Zip)
	must(t, errors.Join(err, tmp.Close()))
	zip, zipErr := s.AddZip(t.Context(), m.Version, tmp.Name())
	mod, modErr := s.AddMod(t.Context(), m.Version, []byte(m.Files["go.mod"]))
	return zip, mod, errors.Join(zipErr, modErr)
}

// A file gets its name when something vouches for it, and then alone.
func TestProofs(t *testing.T) {
	m := published(t)
	database := func(lines ...string) func(context.Context, module.Version) ([]string, error) {
		return func(context.Context, module.Version) ([]string, error) { return lines, nil }
	}
	key := m.Path + " " + m.Version.Version
	for _, tt := range []struct {
		name   string
		proofs Proofs
		by     Proof
		err    string // "" is none
	}{
		{"go.sum", Proofs{Sums: sums(m.Version, m.ZipHash, m.ModHash)}, ByGoSum, ""},
		{"go.sum says otherwise", Proofs{Sums: sums(m.Version, other, other)}, "", "its zip is " + m.ZipHash + ", and go.sum says " + other},
		{"go.sum says otherwise, and nobody wants proof", Proofs{Sums: sums(m.Version, other, other), Skip: func(string) bool { return true }}, "", "go.sum says"},
		{"one of several lines", Proofs{Sums: project.Sums{m.Version: {other, m.ZipHash}, {Path: m.Path, Version: m.Version.Version + "/go.mod"}: {m.ModHash}}}, ByGoSum, ""},
		{"database", Proofs{Lookup: database(key+" "+m.ZipHash, key+"/go.mod "+m.ModHash)}, ByDatabase, ""},
		{"database says otherwise", Proofs{Lookup: database(key+" "+other, key+"/go.mod "+other)}, "", "checksum database says " + other},
		{"database does not know it", Proofs{Lookup: database("lab.example.com/x v1.0.0 " + other)}, "", ErrNoProof.Error()},
		{"database does not answer", Proofs{Lookup: func(context.Context, module.Version) ([]string, error) { return nil, errors.New("unreachable") }}, "", "unreachable"},
		{"nobody wants proof", Proofs{Skip: func(string) bool { return true }}, Unverified, ""},
		{"nothing", Proofs{}, "", ErrNoProof.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Open(filepath.Join(t.TempDir(), "stage"), &tt.proofs)
			must(t, err)
			zip, mod, err := s.take(t, m)
			if zip != tt.by || mod != tt.by || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q, %q, %v; want %q, %q", zip, mod, err, tt.by, tt.err)
			}
			for _, f := range []probe.File{probe.Zip, probe.Mod} {
				if s.Has(m.Version, f) != (err == nil) {
					t.Errorf("it has the .%s: %v", f, s.Has(m.Version, f))
				}
			}
			must(t, s.Seal())
			if left := files(t, s.Dir); err != nil && len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// What an earlier run took in is proven again, and goes when it cannot be.
func TestProven(t *testing.T) {
	m := published(t)
	dir := t.TempDir()
	s, err := Open(dir, &Proofs{Sums: sums(m.Version, m.ZipHash, m.ModHash)})
	must(t, err)
	_, _, err = s.take(t, m)
	must(t, err)
	for _, tt := range []struct {
		name    string
		proofs  Proofs
		by      Proof
		ok, has bool
	}{
		{"as before", Proofs{Sums: sums(m.Version, m.ZipHash, m.ModHash)}, ByGoSum, true, true},
		{"nobody wants proof", Proofs{Skip: func(string) bool { return true }}, Unverified, true, true},
		{"another go.sum", Proofs{Sums: sums(m.Version, other, other)}, "", false, false},
		{"gone", Proofs{Sums: sums(m.Version, m.ZipHash, m.ModHash)}, "", false, false},
	} {
		s, err := Open(dir, &tt.proofs)
		must(t, err)
		for _, f := range []probe.File{probe.Zip, probe.Mod} {
			if by, ok := s.Proven(t.Context(), m.Version, f); by != tt.by || ok != tt.ok || s.Has(m.Version, f) != tt.has {
				t.Errorf("%s: .%s: %q, %v, it is there: %v", tt.name, f, by, ok, s.Has(m.Version, f))
			}
		}
	}
}

// An .info is taken when it is one of that version, and may be made up.
func TestInfo(t *testing.T) {
	m := published(t)
	s, err := Open(t.TempDir(), &Proofs{})
	must(t, err)
	for _, bad := range []string{"", "<html>", "{}", `{"Version":"v2.0.0"}`} {
		if err := s.AddInfo(m.Version, []byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	must(t, s.AddInfo(m.Version, m.Info))
	name, err := s.File(m.Version, probe.Info)
	must(t, err)
	for at, want := range map[time.Time]string{{}: `{"Version":"v1.0.0"}`, time.Unix(0, 0): `{"Version":"v1.0.0","Time":"1970-01-01T00:00:00Z"}`} {
		must(t, s.MakeInfo(m.Version, at))
		if data, err := os.ReadFile(name); err != nil || string(data) != want {
			t.Errorf("%s, %v; want %s", data, err, want)
		}
	}
	if want := filepath.Join("lab.example.com", "!upper", "@v", "v1.0.0.info"); !strings.HasSuffix(name, want) {
		t.Errorf("%s is not laid out as a proxy is: %s", name, want)
	}
}

// No version has a file outside of the stage, and none of what is not proven.
func TestOutside(t *testing.T) {
	s := &Stage{Dir: t.TempDir(), proofs: &Proofs{Skip: func(string) bool { return true }}}
	for _, m := range []module.Version{{}, {Path: "../x", Version: "v1.0.0"}, {Path: "a.example/x", Version: "../v1.0.0"}, {Path: "a.example/x", Version: "v1/0"}, {Path: incoming, Version: "v1.0.0"}} {
		if name, err := s.File(m, probe.Mod); err == nil {
			t.Errorf("%v has a file: %s", m, name)
		}
		if _, err := s.AddMod(t.Context(), m, []byte("module x\n")); err == nil {
			t.Errorf("%v was taken", m)
		}
	}
	if left := files(t, s.Dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Open leaves what another process may be writing now, and removes what is older.
func TestOpenRemovesWhatIsOld(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, &Proofs{})
	must(t, err)
	young, err := s.TempDir()
	must(t, err)
	old, err := s.TempDir()
	must(t, err)
	long := time.Now().Add(-2 * time.Hour)
	must(t, os.Chtimes(old, long, long))
	_, err = Open(dir, &Proofs{})
	must(t, err)
	if _, err := os.Lstat(young); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Error("what a killed process left is still there")
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	}))
	return names
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What is passed on to a go command needs no proof, but wrong bytes stay wrong,
// and who was interrupted has found out nothing.
func TestPass(t *testing.T) {
	m, data := module.Version{Path: "example.com/m", Version: "v1.0.0"}, []byte("module example.com/m\n")
	p := &Proofs{Pass: true}
	if by, err := p.Mod(t.Context(), m, data); err != nil || by != Unverified {
		t.Errorf("%q, %v", by, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if by, err := p.Mod(ctx, m, data); err == nil {
		t.Errorf("interrupted: %q", by)
	}
	p.Sums = project.Sums{module.Version{Path: m.Path, Version: "v1.0.0/go.mod"}: {"h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
	var wrong *Mismatch
	if by, err := p.Mod(t.Context(), m, data); !errors.As(err, &wrong) {
		t.Errorf("%q, %v", by, err)
	}
}

// A file that was fetched is moved in when it is the right one, and left alone when
// it is not.
func TestAddMoves(t *testing.T) {
	m := published(t)
	good := map[probe.File]string{probe.Info: string(m.Info), probe.Mod: m.Files["go.mod"], probe.Zip: string(m.Zip)}
	wrong := map[probe.File]string{probe.Info: `{"Version":"v9.9.9"}`, probe.Mod: "module other\n", probe.Zip: "no zip"}
	s, err := Open(t.TempDir(), &Proofs{Sums: sums(m.Version, m.ZipHash, m.ModHash)})
	must(t, err)
	for f := range good {
		for _, data := range []string{wrong[f], good[f]} {
			tmp, err := s.Temp()
			must(t, err)
			_, err = tmp.WriteString(data)
			must(t, errors.Join(err, tmp.Close()))
			_, err = s.Add(t.Context(), m.Version, f, tmp.Name())
			_, gone := os.Lstat(tmp.Name())
			if right := data == good[f]; (err == nil) != right || errors.Is(gone, fs.ErrNotExist) != right || s.Has(m.Version, f) != right {
				t.Errorf(".%s, right %v: %v, %v", f, right, err, gone)
			}
			os.Remove(tmp.Name())
		}
		name, err := s.File(m.Version, f)
		must(t, err)
		if data, err := os.ReadFile(name); err != nil || string(data) != good[f] {
			t.Errorf(".%s: %q, %v", f, data, err)
		}
	}
}
