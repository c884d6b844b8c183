package deps

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// A Run is one go command that was run without a network.
type Run struct {
	Command []string      `json:"command"`
	OK      bool          `json:"ok"`
	Took    time.Duration `json:"-"`
	Output  []string      `json:"output"` // the last lines of it, clean
}

// A Proof is what the go command itself says.
type Proof struct {
	// Sealed: the commands had no network at all, since they ran in a network
	// namespace of their own (Linux). Else the settings alone kept them off it.
	Sealed bool  `json:"sealed"`
	Runs   []Run `json:"runs"` // go build, then go test
}

// OK reports whether everything that was run succeeded.
func (p *Proof) OK() bool {
	for _, r := range p.Runs {
		if !r.OK {
			return false
		}
	}
	return len(p.Runs) > 0
}

// keptLines is how much of a command's output is kept.
const keptLines = 40

// Prove runs go build and go test for real, with GOPROXY=off and without a
// network. The tests are compiled and linked, and not run: what they do is their
// own. Nothing in the project changes; the build cache gains what is compiled.
// report is told each package as it is compiled; it may be nil.
//
// An error is that of running the go command at all; what it says stands in the
// Proof.
func Prove(ctx context.Context, o Options, report func(line string)) (Proof, error) {
	var p Proof
	l := newLoader(ctx, o)
	defer l.close()
	var r Report
	l.open(&r)
	var patterns []string
	for _, dir := range o.Project.Members {
		patterns = append(patterns, dir+string(filepath.Separator)+"...")
	}
	extra, done, err := l.keepProject()
	if err != nil {
		return p, err
	}
	defer done()
	for _, args := range [][]string{
		append([]string{"build", "-v", "-o", os.DevNull}, extra...),
		append(append([]string{"test", "-v", "-run", "^$", "-vet", "off"}, notRun()...), extra...),
	} {
		run, sealed, err := prove(ctx, o.Env, o.Project.Root, append(args, patterns...), report)
		if err != nil {
			return p, err
		}
		p.Sealed = sealed
		p.Runs = append(p.Runs, run)
	}
	return p, nil
}

// notRun are flags of go test that build the tests of all packages and run none.
func notRun() []string {
	if name, err := exec.LookPath("true"); err == nil {
		return []string{"-exec", name}
	}
	return nil // -run '^$' has only TestMain run
}

// keepProject are flags that keep -mod=mod from writing to the project: a go.mod
// and a go.sum of their own.
func (l *loader) keepProject() (flags []string, done func(), err error) {
	if l.mode != "mod" || l.work != nil {
		return nil, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "gpx-prove-*")
	if err != nil {
		return nil, nil, err
	}
	done = func() { os.RemoveAll(dir) }
	for _, end := range []string{".mod", ".sum"} {
		data, err := os.ReadFile(strings.TrimSuffix(l.project.GoMod, ".mod") + end)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "go"+end), data, 0o600)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			done()
			return nil, nil, err
		}
	}
	return []string{"-modfile=" + filepath.Join(dir, "go.mod")}, done, nil
}

// prove runs one command.
func prove(ctx context.Context, e *env.Env, dir string, args []string, report func(string)) (Run, bool, error) {
	began := time.Now()
	run := Run{Command: append([]string{"go"}, args...)}
	cmd := e.Command(ctx, dir, args...)
	cmd.Env = offlineEnv(e, dir)
	cmd.WaitDelay = 5 * time.Second
	sealed := seal(cmd)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	read := make(chan []string, 1)
	go func() { read <- tail(r, report) }()
	err := cmd.Run()
	if sealed && cannotSeal(err) {
		again := e.Command(ctx, dir, args...)
		again.Env, again.Stdout, again.Stderr, again.WaitDelay = cmd.Env, w, w, cmd.WaitDelay
		sealed = false
		err = again.Run()
	}
	w.Close()
	run.Output = <-read
	run.Took, run.OK = time.Since(began), err == nil
	var exit *exec.ExitError
	if ctx.Err() != nil {
		err = ctx.Err()
	} else if err == nil || errors.As(err, &exit) {
		return run, sealed, nil
	}
	return run, sealed, err
}

// offlineEnv is the user's environment without a way out: whatever would dial
// meets a closed door, on platforms where the kernel does not close it.
func offlineEnv(e *env.Env, dir string) []string {
	const nowhere = "http://127.0.0.1:9"
	return e.With("PWD="+dir, "GOPROXY=off", "GONOPROXY=none", "GOVCS=*:off", "GIT_TERMINAL_PROMPT=0",
		"HTTP_PROXY="+nowhere, "HTTPS_PROXY="+nowhere, "http_proxy="+nowhere, "https_proxy="+nowhere, "NO_PROXY=", "no_proxy=")
}

// tail keeps the last lines that a command prints, clean.
func tail(r io.Reader, report func(string)) (last []string) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := redact.Text(s.Text())
		if line == "" {
			continue
		}
		if report != nil {
			report(line)
		}
		if last = append(last, line); len(last) > keptLines {
			last = last[1:]
		}
	}
	io.Copy(io.Discard, r) // a line that is too long ends the scanner, not the command
	return last
}
