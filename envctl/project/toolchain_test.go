package project

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gpx/envctl/env"
)

// The go command itself says which toolchain it wants: with GOPROXY=off it
// fails on the way to it, and names it.
func TestChooseToolchain(t *testing.T) {
	program, err := exec.LookPath("go")
	if err != nil {
		t.Skip("missing program: go")
	}
	home := t.TempDir()
	telemetry := filepath.Join(home, ".config", "go", "telemetry")
	if err := os.MkdirAll(telemetry, 0o777); err != nil {
		t.Fatal(err)
	}
	// Otherwise the go command leaves a process behind that writes there.
	if err := os.WriteFile(filepath.Join(telemetry, "mode"), []byte("off"), 0o666); err != nil {
		t.Fatal(err)
	}
	projects := []struct {
		name  string
		files map[string]string
	}{
		{"an old project", map[string]string{"go.mod": "module example.com/m\ngo 1.20\n"}},
		{"a newer go line", map[string]string{"go.mod": "module example.com/m\ngo 1.99\n"}},
		{"a newer release", map[string]string{"go.mod": "module example.com/m\ngo 1.99.3\n"}},
		{"a newer toolchain line", map[string]string{"go.mod": "module example.com/m\ngo 1.20\ntoolchain go1.98.1\n"}},
		{"a toolchain line of another maker", map[string]string{"go.mod": "module example.com/m\ngo 1.20\ntoolchain go1.98.1-maker\n"}},
		{"a newer go line that a toolchain line serves", map[string]string{"go.mod": "module example.com/m\ngo 1.97\ntoolchain go1.98.1\n"}},
		{"the default toolchain", map[string]string{"go.mod": "module example.com/m\ngo 1.21.0\ntoolchain default\n"}},
		{"the default toolchain, too old", map[string]string{"go.mod": "module example.com/m\ngo 1.99\ntoolchain default\n"}},
		{"a release that does not exist", map[string]string{"go.mod": "module example.com/m\ngo 9.99\n"}},
		{"a workspace", map[string]string{"go.mod": "module example.com/m\ngo 1.20\n", "go.work": "go 1.99\nuse .\n"}},
	}
	settings := []string{
		"local", "auto", "path", "local+auto", "local+path", "go1.96.1", "go1.96.1+auto", "go1.96.1+path", "go1.99.4-maker+auto",
		"word", "word+auto", "path+auto", "local+word", "go1.96.1+", "go9.1.1", "../go1.96.1",
	}
	for _, pr := range projects {
		t.Run(pr.name, func(t *testing.T) {
			t.Parallel()
			dir := write(t, pr.files)
			for _, setting := range settings {
				environ := []string{
					"PATH=" + os.Getenv("PATH"), "HOME=" + home, "USERPROFILE=" + home, "GOENV=off", "GOFLAGS=-modcacherw", "GOPROXY=off",
					"GOCACHE=" + filepath.Join(home, "cache"), "GOTOOLCHAIN=" + setting,
				}
				e, err := env.Read(context.Background(), env.Options{Dir: dir, Environ: environ, Go: program})
				if err != nil {
					t.Fatal(err)
				}
				got := ChooseToolchain(e, find(t, dir, e))

				cmd := exec.Command(program, "list", "-m")
				cmd.Dir, cmd.Env = dir, environ
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				failed := cmd.Run() != nil
				said := strings.TrimSpace(stderr.String())
				switch {
				case got.Err != nil && got.Name == "" || got.Err != nil && strings.HasPrefix(said, "go: invalid"):
					if said != "go: "+got.Err.Error() {
						t.Errorf("%s: %v; the go command says: %s", setting, got.Err, said)
					}
				case got.Name != "" && got.Download:
					if !strings.Contains(said, "download "+got.Name+":") && !strings.Contains(said, "download "+got.Name+" for ") {
						t.Errorf("%s: downloads %s; the go command says: %s", setting, got.Name, said)
					}
				case got.Name != "":
					if err := got.Refusal(e); err == nil || said != "go: "+err.Error() {
						t.Errorf("%s: %v; the go command says: %s", setting, err, said)
					}
					if !strings.Contains(said, "cannot find \""+got.Name+"\" in PATH") {
						t.Errorf("%s: looks for %s; the go command says: %s", setting, got.Name, said)
					}
				case failed && !strings.Contains(said, "updates to go.mod needed"): // it would leave "toolchain default" out
					t.Errorf("%s: nothing is wrong; the go command says: %s", setting, said)
				}
			}
		})
	}
}

// Outside of module mode nobody looks at GOTOOLCHAIN.
func TestNoChoiceOfToolchain(t *testing.T) {
	dir := t.TempDir()
	for _, mode := range []string{"", "on", "auto", "off", "perhaps"} {
		for _, setting := range []string{"word", "go1.96.1", "go1.96.1+path"} {
			e := environment(t, dir, "GOFLAGS=-modcacherw", "GOPROXY=off", "GO111MODULE="+mode, "GOTOOLCHAIN="+setting)
			cmd := exec.Command(e.Go, "version")
			cmd.Dir, cmd.Env = dir, e.Environ
			out, err := cmd.CombinedOutput()
			if got := ChooseToolchain(e, nil); (got.Name != "" || got.Err != nil) != (err != nil) {
				t.Errorf("GO111MODULE=%s GOTOOLCHAIN=%s: %+v; the go command says: %s", mode, setting, got, out)
			}
		}
	}
}

// A toolchain that may not be downloaded is one that is on PATH.
func TestToolchainOnPath(t *testing.T) {
	dir := t.TempDir()
	name := "go1.99.0"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, found := range map[string]bool{"PATH=" + dir: true, "PATH=": false, "PATH=.": false, "PATH=" + filepath.Join(dir, "none"): false} {
		e := &env.Env{GoVersion: "go1.26.0", Vars: []env.Var{{Name: "GOTOOLCHAIN", Value: "go1.99.0+path"}}, Environ: []string{path}}
		if err := ChooseToolchain(e, nil).Refusal(e); (err == nil) != found {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A toolchain of the development branch is as new as the release that it becomes.
func TestDevelopmentToolchain(t *testing.T) {
	for _, version := range []string{"devel go1.24-5f6a0f1b2c Mon Oct 7 10:00:00 2024 +0000", "go1.25-devel_5f6a0f1b2c Mon Oct 7 10:00:00 2024 +0000"} {
		e := &env.Env{GoVersion: version, Vars: []env.Var{{Name: "GOTOOLCHAIN", Value: "auto"}}}
		for line, want := range map[string]string{"1.20": "", "1.23.4": "", "1.26": "go1.26.0"} {
			if got := ChooseToolchain(e, &Project{GoMod: "go.mod", Go: line}); got.Name != want || got.Err != nil {
				t.Errorf("%s, go %s: %+v, want %q", version, line, got, want)
			}
		}
	}
}

func TestWantedToolchain(t *testing.T) {
	cases := []struct {
		setting, goLine, toolchain string
		want                       string
		download                   bool
	}{
		{"auto", "1.21", "", "", false},
		{"auto", "1.99", "", "go1.99.0", true},
		{"auto", "1.99.3", "", "go1.99.3", true},
		{"auto", "1.99rc1", "", "go1.99rc1", true},
		{"auto", "1.21", "go1.99.1", "go1.99.1", true},
		{"auto", "1.99.3", "go1.99.1", "go1.99.3", true},
		{"auto", "1.99.3", "default", "", false},
		{"local", "1.99", "", "", false},
		{"path", "1.99", "", "go1.99.0", false},
		{"go1.98.0", "1.99", "", "go1.98.0", true},
		{"go1.98.0+auto", "1.99", "", "go1.99.0", true},
		{"go1.98.0+path", "1.99", "", "go1.99.0", false},
		{"go1.20.1", "1.99", "", "go1.20.1", true},
		{"local+auto", "1.99", "", "go1.99.0", true},
		{"", "1.99", "", "", false},
	}
	for _, c := range cases {
		e := &env.Env{GoVersion: "go1.26.0", Vars: []env.Var{{Name: "GOTOOLCHAIN", Value: c.setting}}}
		got := ChooseToolchain(e, &Project{GoMod: "go.mod", Go: c.goLine, Toolchain: c.toolchain})
		if got.Name != c.want || got.Name != "" && got.Download != c.download {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}
