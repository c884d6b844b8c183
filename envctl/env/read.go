package env

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"gpx/envctl/advice"
	"gpx/envctl/redact"
)

// Options say whose environment to read.
type Options struct {
	Dir     string   // working directory of the go command; "" is the current one
	Environ []string // the OS environment, "NAME=value"; nil is os.Environ()
	Go      string   // path of the go command; "" looks it up on PATH
	Memo    string   // folder where its answers are remembered; "" asks it each time

	patience time.Duration // with the go command; 0 means Patience
}

// An Env is the go environment of one directory at one moment.
//
// The values in it are raw: GOPROXY may hold a password. What is shown goes
// through redact.Value.
type Env struct {
	Vars           []Var             // sorted by name
	Go             string            // path of the go command, "" when there is none
	GoVersion      string            // such as "go1.26.8", "" when unknown
	GOROOT         string            // "" when unknown
	UserFile       string            // where go env -w writes, absolute; "" when it cannot
	UserFileOff    bool              // GOENV=off
	UserFileValues map[string]string // what the go command reads from UserFile
	Problems       []string          // what is odd, one line each, redacted
	Environ        []string          // the OS environment that was read, each name once
	Dir            string            // the directory that was read for, absolute

	endless bool  // the go command would not come back from reading UserFile
	refused error // a setting that go env itself does not survive
}

// asked are the variables that the go command is asked for. They are named one
// by one because without names "go env -json" also computes the C compiler's
// flags: that runs the compiler (190 ms on an empty build cache, against 7),
// writes to the build cache, and fails without HOME. What it would add is in
// cgoDefaults.
var asked = []string{
	"AR", "CC", "CGO_ENABLED", "CXX", "GCCGO", "GO111MODULE", "GO386", "GOAMD64", "GOARCH", "GOARM", "GOARM64", "GOAUTH", "GOBIN", "GOCACHE",
	"GOCACHEPROG", "GODEBUG", "GOENV", "GOEXE", "GOEXPERIMENT", "GOFIPS140", "GOFLAGS", "GOHOSTARCH", "GOHOSTOS", "GOINSECURE",
	"GOMIPS", "GOMIPS64", "GOMOD", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOOS", "GOPATH", "GOPPC64", "GOPRIVATE", "GOPROXY", "GORISCV64", "GOROOT", "GOSUMDB",
	"GOTELEMETRY", "GOTELEMETRYDIR", "GOTMPDIR", "GOTOOLCHAIN", "GOTOOLDIR", "GOVCS", "GOVERSION", "GOWASM", "GOWORK",
}

// Read reads the environment of o.Dir. It starts one process, the go command
// (about 10 ms), with GOTOOLCHAIN=local so that no module's toolchain line
// makes it download one. With a Memo it starts none where the answer is known:
// where a go command was asked before and nothing that it looks at has changed.
//
// Without a go command, or with one that fails, the values come from the files
// and from what is known to be built in, and Problems says so. Read fails only
// when the directory is gone or ctx is done.
func Read(ctx context.Context, o Options) (*Env, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("go environment of %s: %w", redact.Clean(o.Dir), err)
	}
	if fi, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("go environment of %s: %w", redact.Clean(dir), errors.Unwrap(err)) // without the raw path
	} else if !fi.IsDir() {
		return nil, fmt.Errorf("go environment of %s: not a directory", redact.Clean(dir))
	}
	environ := o.Environ
	if environ == nil {
		environ = os.Environ()
	}
	e := &Env{Environ: dedup(environ), Dir: dir, Go: o.Go, UserFileValues: map[string]string{}, Problems: []string{}}
	if e.Go == "" {
		e.Go = lookPath(e.OSEnv("PATH"), dir)
		if e.Go == "" {
			e.problem("no go command on PATH: values come from files and built-in defaults")
		}
	}
	l := layers{os: e.OSEnv}
	e.readUserFile()
	l.user = e.UserFileValues

	m := e.memoOf(o.Memo)
	said, err := m.recall(e), error(nil)
	recalled := said != nil
	if !recalled {
		said, err = e.ask(ctx, cmp.Or(o.patience, Patience))
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("go environment of %s: %w", redact.Clean(dir), ctx.Err())
		}
		e.problem("go env failed, values come from files and built-in defaults: %v", err)
	}
	l.goroot = e.readGOROOT(said)
	e.Vars = l.vars(said, e)
	if !recalled {
		m.keep(e, l, said)
	}
	e.checkNames()
	e.GoVersion = e.Get("GOVERSION")
	return e, nil
}

// problem notes something odd, in one harmless line.
func (e *Env) problem(format string, args ...any) {
	e.Problems = append(e.Problems, redact.Text(fmt.Sprintf(format, args...)))
}

// Patience is how long the go command may take to print or write its
// environment. It takes 10 ms; a wrapper in its place, or a home directory on a
// dead file system, takes for ever.
const Patience = 10 * time.Second

// ask runs the go command for its own view of the values.
func (e *Env) ask(ctx context.Context, patience time.Duration) (map[string]string, error) {
	if e.Go == "" || e.endless {
		return nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s does not answer within %v", e.Go, patience))
	defer cancel()
	cmd := e.Command(ctx, "", append([]string{"env", "-json"}, asked...)...)
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			line, _, _ := strings.Cut(strings.TrimSpace(string(ee.Stderr)), "\n")
			e.refused = fatalSetting(line)
			return nil, fmt.Errorf("%w: %s", err, line)
		}
		return nil, err
	}
	said := map[string]string{}
	if err := json.Unmarshal(out, &said); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Go, err)
	}
	delete(said, "GOTOOLCHAIN") // what it was forced to
	return said, nil
}

// Command is the go command with args, to be run in dir ("" is e.Dir) with the
// user's environment, but GOTOOLCHAIN=local, no standard input, and nothing
// that asks a question. The caller sets the rest. With no go command the
// command's Run fails and says so.
func (e *Env) Command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	if dir == "" {
		dir = e.Dir
	}
	name := e.Go
	if name == "" {
		name = "go"
	}
	cmd := exec.CommandContext(ctx, name, args...)
	if e.Go == "" {
		cmd.Err = advice.Add(errors.New("no go command on PATH"), "install Go, or name it with PATH")
	}
	cmd.Dir = dir
	// PWD keeps the user's spelling of a directory behind symbolic links.
	cmd.Env = e.With("GOTOOLCHAIN=local", "PWD="+dir)
	if e.OSEnv("GIT_TERMINAL_PROMPT") == "" {
		cmd.Env = append(cmd.Env, "GIT_TERMINAL_PROMPT=0")
	}
	// A child of the go command (git, ssh) that keeps a pipe open must not
	// hold up a cancelled command.
	cmd.WaitDelay = time.Second
	return cmd
}

// With is a copy of the OS environment with assignments ("NAME=value") in
// place of what it has under these names.
func (e *Env) With(assignments ...string) []string {
	return dedup(append(e.Environ[:len(e.Environ):len(e.Environ)], assignments...))
}

// OSEnv is the value of a variable in the OS environment, "" when unset. It is
// also for what go env does not know, such as HTTPS_PROXY.
func (e *Env) OSEnv(name string) string {
	for _, kv := range e.Environ {
		if k, v, ok := cutEnv(kv); ok && sameName(k, name) {
			return v
		}
	}
	return ""
}

// cutEnv splits "NAME=value"; Windows has names that begin with "=".
func cutEnv(kv string) (name, value string, ok bool) {
	if kv == "" {
		return "", "", false
	}
	i := strings.IndexByte(kv[1:], '=')
	if i < 0 {
		return "", "", false
	}
	return kv[:i+1], kv[i+2:], true
}

func sameName(a, b string) bool {
	if runtime.GOOS == "windows" {
		return strings.EqualFold(a, b)
	}
	return a == b
}

// dedup keeps the last assignment of each name, as os/exec does.
func dedup(environ []string) []string {
	out := make([]string, 0, len(environ))
	at := map[string]int{}
	for _, kv := range environ {
		name, _, ok := cutEnv(kv)
		if !ok {
			continue
		}
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
		}
		if i, ok := at[name]; ok {
			out[i] = kv
			continue
		}
		at[name] = len(out)
		out = append(out, kv)
	}
	return out
}

// lookPath finds the go command on a PATH that need not be this process's.
func lookPath(path, dir string) string {
	exe := "go"
	if runtime.GOOS == "windows" {
		exe = "go.exe"
	}
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			continue // a relative entry finds whatever a project puts there
		}
		file := filepath.Join(d, exe)
		if fi, err := os.Stat(file); err == nil && fi.Mode().IsRegular() && (runtime.GOOS == "windows" || fi.Mode()&0o111 != 0) {
			return file
		}
	}
	return ""
}

// OnPath reports whether the go command finds a program on the PATH of e: in a
// relative entry it takes none (os/exec, ErrDot).
func (e *Env) OnPath(name string) bool {
	return onPath(e.OSEnv("PATH"), name) != ""
}

// firstLine is the first line of data without its end.
func firstLine(data []byte) string {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return strings.TrimSpace(string(line))
}
