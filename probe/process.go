package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// A process is a program that a probe runs: git, or a GOAUTH command.
type process struct {
	dir   string
	env   []string
	stdin string // "" is an empty standard input: nothing to ask
	argv  []string
	limit int // bytes kept of each output
}

type output struct{ stdout, stderr []byte }

// killWait is how long the pipes of a killed process may stay open, held by a
// grandchild that left its process group.
const killWait = 200 * time.Millisecond

// runProcess runs p in a session of its own, so that it has no terminal to ask
// on and dies whole, with its children, when ctx ends.
func runProcess(ctx context.Context, p process) (output, error) {
	if len(p.argv) == 0 {
		return output{}, errors.New("no command")
	}
	path, err := lookPath(p.argv[0], p.env)
	if err != nil {
		return output{}, err
	}
	cmd := exec.CommandContext(ctx, path, p.argv[1:]...)
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.Stdin = strings.NewReader(p.stdin)
	stdout, stderr := &bounded{limit: p.limit}, &bounded{limit: p.limit}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = killWait
	ownSession(cmd)
	err = cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it is done, and left somebody behind who holds its pipes: what it said counts
	}
	out := output{stdout.buf.Bytes(), stderr.buf.Bytes()}
	if ctx.Err() != nil {
		return out, fmt.Errorf("%s: %w", p.argv[0], ctx.Err())
	}
	if err != nil {
		return out, fmt.Errorf("%s: %w", p.argv[0], err)
	}
	return out, nil
}

// bounded keeps the first bytes that are written to it and swallows the rest.
type bounded struct {
	buf   bytes.Buffer
	limit int
}

func (b *bounded) Write(data []byte) (int, error) {
	if room := b.limit - b.buf.Len(); room > 0 {
		b.buf.Write(data[:min(room, len(data))])
	}
	return len(data), nil
}

// lookPath is exec.LookPath in an environment other than the process's own.
func lookPath(name string, environ []string) (string, error) {
	path := lookupIn(environ)("PATH")
	if strings.ContainsAny(name, `/\`) {
		return exec.LookPath(name)
	}
	for _, dir := range splitList(path) {
		if found, err := exec.LookPath(joinExecutable(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}
