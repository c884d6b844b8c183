package env

import (
	"context"
	"errors"
	"os/exec"

	"gpx/envctl/chain"
)

// Options say whose environment to read.
type Options struct {
	Dir     string   // working directory of the go command; "" is the current one
	Environ []string // the OS environment, "NAME=value"; nil is os.Environ()
	Go      string   // path of the go command; "" looks it up on PATH
}

// An Env is the go environment of one directory at one moment.
type Env struct {
	Vars           []Var             // sorted by name
	Go             string            // path of the go command, "" when there is none
	GoVersion      string            // such as "go1.26.8", "" without a go command
	GOROOT         string            // "" when unknown
	UserFile       string            // where go env -w writes, "" when it cannot
	UserFileOff    bool              // GOENV=off
	UserFileValues map[string]string // what the go command reads from UserFile
	Problems       []string          // what is odd, one line each, redacted
	Environ        []string          // the OS environment that was read; it may hold secrets
	Dir            string            // the directory that was read for, absolute
}

// Read reads the environment of o.Dir. It runs the go command once.
func Read(ctx context.Context, o Options) (*Env, error) {
	return nil, errors.New("env: not implemented")
}

// Get is the effective value of a variable, "" when it has none.
func (e *Env) Get(name string) string { v, _ := e.Lookup(name); return v.Value }

// Lookup finds a variable.
func (e *Env) Lookup(name string) (Var, bool) {
	for _, v := range e.Vars {
		if v.Name == name {
			return v, true
		}
	}
	return Var{}, false
}

// Digest is a short, stable name of the values that decide how modules are
// downloaded; it holds no secret.
func (e *Env) Digest() string { return "" }

// Chain is the effective GOPROXY.
func (e *Env) Chain() (chain.Chain, error) { return chain.Parse(e.Get("GOPROXY")) }

// SumDB is the effective GOSUMDB.
func (e *Env) SumDB() (chain.SumDB, error) { return chain.ParseSumDB(e.Get("GOSUMDB")) }

// NoProxy is the effective GONOPROXY: the patterns of modules that go straight
// to version control.
func (e *Env) NoProxy() string { return e.Get("GONOPROXY") }

// NoSumDB is the effective GONOSUMDB: the patterns of modules that are not
// looked up in the checksum database.
func (e *Env) NoSumDB() string { return e.Get("GONOSUMDB") }

// Command is the go command with args, run in dir ("" is e.Dir) in the user's
// environment plus GOTOOLCHAIN=local, without standard input.
func (e *Env) Command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, e.Go, args...)
}
