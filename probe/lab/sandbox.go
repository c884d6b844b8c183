package lab

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// A Sandbox is a running scenario with a developer's machine around it: a home
// folder whose go settings are as "go env -w" leaves them, an empty module
// cache, and a small project that needs modules of the lab.
//
//	DIR/home/.config/go/env      GOPROXY=primary,backup  GOSUMDB=the lab's
//	DIR/home/go, DIR/home/.cache GOPATH and GOCACHE, by default
//	DIR/project                  go.mod  go.sum  main.go
//	DIR/enter.sh                 a shell in there
//
// Everything is in the lab's temporary directory. The developer's own settings,
// caches and projects are neither read nor written.
type Sandbox struct {
	Scenario Scenario
	Lab      *Lab
	Dir      string    // everything stands below it
	Project  string    // the module root
	Chain    string    // the value of GOPROXY in the user file
	Servers  []*Server // the proxies, in the order of the chain
	env      map[string]string
}

// Start starts a scenario's servers and writes its sandbox. Its clock begins
// now.
func (s Scenario) Start() (*Sandbox, error) {
	l, err := Start(Options{})
	if err != nil {
		return nil, err
	}
	b := &Sandbox{Scenario: s, Lab: l, Dir: filepath.Join(l.dir, "demo")}
	b.Project = filepath.Join(b.Dir, "project")
	if err := b.write(); err != nil {
		b.Close()
		return nil, fmt.Errorf("demo %s: %w", s.Name, err)
	}
	var opts []ProxyOption
	if systemTrustsEnv || s.Name == "expired-cert" {
		opts = append(opts, TLS())
	}
	var urls []string
	for _, p := range s.Proxies {
		// The name stands in the path, so that a reader of the screen can tell
		// one loopback port from another.
		srv := l.Proxy(p.Name, p.Schedule, append(opts, Under(p.Name))...)
		b.Servers = append(b.Servers, srv)
		urls = append(urls, srv.URL())
	}
	b.Chain = strings.Join(urls, s.Separator)
	settings := "GOPROXY=" + b.Chain + "\nGOSUMDB=" + l.VerifierKey() + "\n"
	if err := writeFile(b.env["GOENV"], []byte(settings)); err != nil {
		b.Close()
		return nil, fmt.Errorf("demo %s: %w", s.Name, err)
	}
	return b, nil
}

// Close ends the scenario and removes everything that it wrote.
func (b *Sandbox) Close() error { return b.Lab.Close() }

// Environ is the environment of the sandbox: for gpx's own reading of go env,
// and for the commands that it runs.
func (b *Sandbox) Environ() []string { return environ(b.env) }

// Getenv returns one variable of the sandbox.
func (b *Sandbox) Getenv(name string) string { return b.env[name] }

// requirements are what the sandbox's project needs, directly or not.
var requirements = []struct {
	module.Version
	indirect bool
}{
	{module.Version{Path: "lab.example.com/delta/v2", Version: "v2.0.1"}, false},
	{module.Version{Path: "lab.example.com/gamma", Version: "v0.3.0"}, false},
	{module.Version{Path: "lab.example.com/alpha", Version: "v1.1.0"}, true},
	{module.Version{Path: "lab.example.com/beta", Version: "v1.0.0"}, true},
}

const mainGo = `package main

import (
	"os"

	"lab.example.com/delta/v2"
	"lab.example.com/gamma"
)

func main() {
	os.Stdout.WriteString("built with " + gamma.Name + " and " + delta.Name + "\n")
}
`

// write writes the home folder and the project.
func (b *Sandbox) write() error {
	b.env = sandboxVars(b.Dir)
	home := b.env["HOME"]
	b.env["SSL_CERT_FILE"] = b.Lab.CAFile()
	if config, err := b.Lab.git(); err == nil {
		b.env["GIT_CONFIG_GLOBAL"] = config
	}
	// The go command's own defaults below HOME look more like a developer's
	// machine than variables that name every folder.
	for _, name := range []string{"GOPATH", "GOMODCACHE", "GOCACHE", "GOFLAGS"} {
		delete(b.env, name)
	}

	goMod, sums := "module demo.example.com/shop\n\ngo 1.21\n\nrequire (\n", ""
	for _, r := range requirements {
		comment := ""
		if r.indirect {
			comment = " // indirect"
		}
		goMod += "\t" + r.Path + " " + r.Version.Version + comment + "\n"
		m := find(b.Lab.modules, r.Path, r.Version.Version)
		if m == nil {
			return fmt.Errorf("the lab has no %s", r.Version)
		}
		sums += m.GoSum()
	}
	goMod += ")\n"
	// beta names alpha v1.0.0, whose go.mod the go command checks too.
	if m := find(b.Lab.modules, "lab.example.com/alpha", "v1.0.0"); m != nil {
		sums += strings.SplitAfter(m.GoSum(), "\n")[1]
	}
	for name, text := range map[string]string{
		filepath.Join(b.Project, "go.mod"):  goMod,
		filepath.Join(b.Project, "go.sum"):  sortLines(sums),
		filepath.Join(b.Project, "main.go"): mainGo,
		filepath.Join(b.Dir, "enter.sh"):    b.enterScript(),
	} {
		if err := writeFile(name, []byte(text)); err != nil {
			return err
		}
	}
	if !b.Scenario.Cached {
		return nil
	}
	return b.Lab.writeModCache(filepath.Join(home, "go", "pkg", "mod"))
}

// writeModCache fills a module cache as downloads would have: the tree, the
// hashes of the zips, and the answers of the checksum database. The go command
// extracts what it needs.
func (l *Lab) writeModCache(dir string) error {
	download := filepath.Join(dir, "cache", "download")
	if err := l.WriteTree(download, true); err != nil {
		return err
	}
	// The marker is what turns the cache into a tree that serves the database;
	// a cache does not have it until somebody asks for that.
	if err := os.Remove(filepath.Join(download, "sumdb", filepath.FromSlash(l.log.name), "supported")); err != nil {
		return err
	}
	for _, m := range l.modules {
		if m.Private {
			continue
		}
		path, err := module.EscapePath(m.Path)
		if err != nil {
			return err
		}
		version, err := module.EscapeVersion(m.Version.Version)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(download, filepath.FromSlash(path), "@v", version+".ziphash"), []byte(m.ZipHash)); err != nil {
			return err
		}
	}
	return nil
}

// enterScript starts a shell whose go command sees the sandbox and nothing of
// the developer's own settings.
func (b *Sandbox) enterScript() string {
	s := "# A shell inside the demo: sh " + filepath.Join(b.Dir, "enter.sh") + "\n"
	s += "for v in $(env | sed -n 's/^\\(GO[A-Z0-9]*\\|GIT_[A-Z_]*\\|[A-Za-z]*_[pP][rR][oO][xX][yY]\\)=.*/\\1/p'); do unset \"$v\"; done\n"
	for _, name := range slices.Sorted(maps.Keys(b.env)) {
		switch name {
		case "PATH", "TERM", "LANG":
			continue
		}
		s += "export " + name + "=" + quote(b.env[name]) + "\n"
	}
	return s + "cd " + quote(b.Project) + " && exec \"${SHELL:-/bin/sh}\"\n"
}

// quote is a word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// environ is the NAME=VALUE form of variables, sorted.
func environ(vars map[string]string) []string {
	env := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	return env
}

func sortLines(s string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(s, "\n")+"\n", "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// removeAll removes a folder in which go commands may have worked: they leave
// module directories without write permission.
func removeAll(dir string) error {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // best effort: RemoveAll says what is left
		}
		return nil
	})
	return os.RemoveAll(dir)
}
