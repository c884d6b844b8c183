// Package procs looks at the programs that run on this machine, and at the go
// settings that they run with: what a cache must not lose just now. Only Linux
// shows them (proc(5)); elsewhere nothing is found, and [Seen] says so.
package procs

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"time"

	"gpx/envctl/env"
)

// A Process is a program that runs.
type Process struct {
	Name    string    // of its file, at most 15 bytes of it
	Exe     string    // its file
	Dir     string    // its working folder
	Started time.Time // zero when that is not known
	Hidden  bool      // it is somebody else's: Exe, Dir and its settings are not known

	environ []byte // NAME=value, each with a NUL
}

// getenv is a variable of the process's OS environment, as it was when it was
// started.
func (p *Process) getenv(name string) string {
	for entry := range bytes.SplitSeq(p.environ, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte(name+"=")); ok {
			return string(value)
		}
	}
	return ""
}

// ModCache is the module cache (GOMODCACHE) that a go command in this process
// works with, "" when that is not known. $GOROOT/go.env, in which nobody has it,
// is not looked at.
func (p *Process) ModCache() string {
	set := p.settings()
	if dir := set("GOMODCACHE"); dir != "" {
		return resolve(dir)
	}
	gopath := set("GOPATH")
	if gopath == "" {
		home := p.getenv("HOME")
		if home == "" {
			return ""
		}
		gopath = filepath.Join(home, "go")
	}
	return resolve(filepath.Join(filepath.SplitList(gopath)[0], "pkg", "mod"))
}

// BuildCache is the build cache (GOCACHE) likewise.
func (p *Process) BuildCache() string {
	if dir := p.settings()("GOCACHE"); dir != "" {
		return resolve(dir)
	}
	if dir := p.getenv("XDG_CACHE_HOME"); dir != "" {
		return resolve(filepath.Join(dir, "go-build"))
	}
	if home := p.getenv("HOME"); home != "" {
		return resolve(filepath.Join(home, ".cache", "go-build"))
	}
	return ""
}

// settings are the go settings of the process: its OS environment before the
// user's file.
func (p *Process) settings() func(name string) string {
	var file map[string]string
	return func(name string) string {
		if v := p.getenv(name); v != "" {
			return v
		}
		if file == nil {
			file = p.userFile()
		}
		return file[name]
	}
}

// userFile reads what go env -w has written for the process's user.
func (p *Process) userFile() map[string]string {
	name := p.getenv("GOENV")
	if name == "" {
		config := p.getenv("XDG_CONFIG_HOME")
		if home := p.getenv("HOME"); config == "" && home != "" {
			config = filepath.Join(home, ".config")
		}
		if config != "" {
			name = filepath.Join(config, "go", "env")
		}
	}
	info, err := os.Stat(name) // "off" is no file, either
	if err != nil || !info.Mode().IsRegular() {
		return map[string]string{}
	}
	f, err := os.Open(name)
	if err != nil {
		return map[string]string{}
	}
	defer f.Close()
	const most = 1 << 20 // bytes; a user's file has some hundred
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return map[string]string{}
	}
	values, _ := env.ParseFile(data)
	return values
}

// resolve follows symbolic links, where the folder exists.
func resolve(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return filepath.Clean(dir)
}
