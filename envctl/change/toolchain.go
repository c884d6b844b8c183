package change

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// copyPrefix begins the name of the directory of a private copy, in the
// system's directory for temporary files.
const copyPrefix = "gpx-env-"

// copyAge is how old such a directory is when its process must have been
// killed: the go command works on it for milliseconds.
const copyAge = 10 * time.Minute

// sweepCopies removes the private copies of killed processes.
func sweepCopies(now time.Time) {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), copyPrefix+"*"))
	for _, dir := range dirs {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() && now.Sub(info.ModTime()) > copyAge {
			os.RemoveAll(dir)
		}
	}
}

// rewrite asks the toolchain what the user file would hold after the
// assignments, by letting go env -u and go env -w work on a private copy of
// it. The bytes are the toolchain's own: its order, its checks, its treatment
// of duplicates and comments.
//
// It also returns the value that every variable in ask has under the new file
// when the OS environment does not set it.
func rewrite(ctx context.Context, e *env.Env, before image, as []Assignment, ask []string) (after image, effective map[string]string, err error) {
	// MkdirTemp makes 0700: the copy may hold credentials.
	dir, err := os.MkdirTemp("", copyPrefix)
	if err != nil {
		return image{}, nil, fmt.Errorf("copying the user file: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "env")
	if before.Exists {
		if err := os.WriteFile(file, before.Data, 0o600); err != nil {
			return image{}, nil, fmt.Errorf("copying the user file: %w", err)
		}
	}
	set, unset := arguments(as)
	if len(unset) > 0 && before.Exists {
		// go env -u fails on a missing file; there is nothing to take away.
		if _, err := goEnv(ctx, e, dir, append([]string{"-u"}, unset...)...); err != nil {
			return image{}, nil, err
		}
	}
	if len(set) > 0 {
		if _, err := goEnv(ctx, e, dir, append([]string{"-w"}, set...)...); err != nil {
			return image{}, nil, err
		}
	}
	if after, err = readImage(file); err != nil {
		return image{}, nil, err
	}
	after.Mode = before.Mode // the copy's is its own
	effective, err = below(ctx, e, dir, ask)
	return after, effective, err
}

// below asks for the values that the variables have under the file dir/env
// when the OS environment says nothing of them.
func below(ctx context.Context, e *env.Env, dir string, ask []string) (map[string]string, error) {
	if len(ask) == 0 {
		return nil, nil
	}
	quiet := *e
	quiet.Environ = slices.DeleteFunc(slices.Clone(e.Environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(ask, name)
	})
	out, err := goEnv(ctx, &quiet, dir, append([]string{"-json"}, ask...)...)
	if err != nil {
		return nil, err
	}
	var values map[string]string
	if err := json.Unmarshal(out, &values); err != nil {
		return nil, fmt.Errorf("go env -json: %w", err)
	}
	return values, nil
}

// arguments splits assignments into what go env -w and go env -u are given.
func arguments(as []Assignment) (set, unset []string) {
	for _, a := range as {
		if a.Unset {
			unset = append(unset, a.Name)
		} else {
			set = append(set, a.Name+"="+a.Value)
		}
	}
	return set, unset
}

// goEnv runs go env in dir, on the file dir/env. The directory has no go.mod
// and GOTOOLCHAIN is local, so nothing is ever downloaded.
func goEnv(ctx context.Context, e *env.Env, dir string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, env.Patience, fmt.Errorf("%s does not answer within %v", e.Go, env.Patience))
	defer cancel()
	cmd := exec.CommandContext(ctx, e.Go, append([]string{"env"}, args...)...)
	cmd.WaitDelay = time.Second // what a wrapper started may keep the pipes open
	cmd.Dir = dir
	cmd.Env = append(append([]string{}, e.Environ...),
		"GOENV="+filepath.Join(dir, "env"), "GOTOOLCHAIN=local", "GOWORK=off", "PWD="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if text := complaint(stderr.String()); text != "" {
		return nil, errors.New(text)
	}
	return nil, fmt.Errorf("go env %s: %w", args[0], err)
}

// complaint picks the line of the go command's output that says why it failed:
// the last one that is not a warning.
func complaint(stderr string) string {
	text := ""
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "warning:") {
			continue
		}
		text = line
	}
	return redact.Text(text)
}

// values are what a user file says.
func values(data []byte) map[string]string {
	vs, _ := env.ParseFile(data)
	return vs
}
