package salvage

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"gpx/envctl/redact"
)

func openZip(name string) (*zip.ReadCloser, error) { return zip.OpenReader(name) }

// A repo is a repository that somebody has on this machine.
type repo struct {
	git    string
	source string          // where it is
	dir    string          // our clone of it
	tags   map[string]bool // of the source
}

// gitFor bounds one git command.
const gitFor = time.Minute

// clones makes zips of tags and commits.
func (s *seeker) clones(ctx context.Context, dirs []string) {
	if len(dirs) == 0 || len(s.wants()) == 0 {
		return
	}
	git, ok := "", false
	if s.o.Git != nil {
		git, ok = s.o.Git()
	} else if name, err := exec.LookPath("git"); err == nil {
		git, ok = name, true
	}
	if !ok {
		s.problem("git is not installed, so %d clones were not looked into", len(dirs))
		return
	}
	for _, dir := range dirs {
		wants := s.wants()
		if len(wants) == 0 || ctx.Err() != nil {
			return
		}
		s.report("looking in %s", dir)
		if err := s.clone(ctx, &repo{git: git, source: dir}, wants); err != nil && ctx.Err() == nil {
			s.problem("%s: not looked into: %v", dir, err)
		}
	}
}

// clone looks for versions in one repository. It is read through a clone that
// shares its objects and none of its settings: those of a stranger could run
// programs.
func (s *seeker) clone(ctx context.Context, r *repo, wants []Want) error {
	text, err := r.run(ctx, "", "-C", r.source, "for-each-ref", "--format=%(refname)", "refs/tags")
	if err != nil {
		return err
	}
	r.tags = map[string]bool{}
	for line := range strings.Lines(text) {
		r.tags[strings.TrimPrefix(strings.TrimSpace(line), "refs/tags/")] = true
	}
	wants = slices.DeleteFunc(wants, func(w Want) bool { return len(r.revisions(w.Version)) == 0 })
	if len(wants) == 0 {
		return nil
	}
	if r.dir, err = s.stage.TempDir(); err != nil {
		return err
	}
	defer os.RemoveAll(r.dir)
	if _, err := r.run(ctx, "", "clone", "--quiet", "--shared", "--no-checkout", "--", r.source, r.dir); err != nil {
		return err
	}
	for _, w := range wants {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.fromClone(ctx, r, w)
	}
	return nil
}

// A revision is where in a repository a version may be.
type revision struct {
	name   string // a tag, or a commit
	subdir string // below the root, "" is the root
}

// revisions are where a version would be: at the tag of its version, in the root
// or in a folder whose path ends the module's (https://go.dev/ref/mod#vcs-version).
func (r *repo) revisions(m module.Version) []revision {
	prefix, major, ok := module.SplitPathVersion(m.Path)
	if !ok {
		return nil
	}
	version := strings.TrimSuffix(m.Version, "+incompatible")
	var out []revision
	elements := strings.Split(prefix, "/")
	for n := 0; n < len(elements); n++ {
		subdir := strings.Join(elements[len(elements)-n:], "/")
		name := path.Join(subdir, version)
		if module.IsPseudoVersion(version) {
			rev, err := module.PseudoVersionRev(version)
			if err != nil {
				return nil
			}
			name = rev
		} else if !r.tags[name] {
			continue
		}
		out = append(out, revision{name, subdir})
		if strings.HasPrefix(major, "/") { // the major version may have a folder of its own
			out = append(out, revision{name, path.Join(subdir, major[1:])})
		}
	}
	return out
}

// fromClone takes a version from where its go.mod says that it is, or, without a
// go.mod, from the root.
func (s *seeker) fromClone(ctx context.Context, r *repo, w Want) {
	for _, at := range r.revisions(w.Version) {
		ref := at.name
		if !module.IsPseudoVersion(w.Version.Version) {
			ref = "refs/tags/" + at.name
		}
		commit, err := r.run(ctx, r.dir, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
		if commit = strings.TrimSpace(commit); err != nil || commit == "" {
			continue
		}
		mod, err := r.run(ctx, r.dir, "cat-file", "blob", commit+":"+path.Join(at.subdir, "go.mod"))
		switch {
		case err == nil && modfile.ModulePath([]byte(mod)) != w.Path:
			continue // another module, or a fork under its old name
		case err != nil && at.subdir != "":
			continue
		case err != nil:
			mod = string(synthetic(w.Path))
		}
		c := candidate{
			source: r.source, kind: Clone, at: r.time(ctx, commit),
			mod: func(context.Context) ([]byte, error) { return []byte(mod), nil },
			zip: func(ctx context.Context, to *os.File) error {
				return modzip.CreateFromVCS(to, w.Version, r.dir, commit, at.subdir)
			},
		}
		if s.try(ctx, w, c) {
			return
		}
	}
}

// time is when a commit was made.
func (r *repo) time(ctx context.Context, commit string) time.Time {
	text, err := r.run(ctx, r.dir, "show", "--no-patch", "--no-show-signature", "--format=%ct", commit)
	seconds, perr := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || perr != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// run runs git without a network, a prompt, hooks, or settings of others than the
// user. That a repository is another user's git itself refuses.
func (r *repo) run(ctx context.Context, dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gitFor)
	defer cancel()
	safe := []string{"-c", "core.hooksPath=" + os.DevNull, "-c", "core.fsmonitor=false", "-c", "protocol.allow=never", "-c", "protocol.file.allow=always"}
	cmd := exec.CommandContext(ctx, r.git, append(safe, args...)...)
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "GIT_") && !strings.HasPrefix(kv, "GIT_CONFIG") }),
		"GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1", "GIT_LFS_SKIP_SMUDGE=1", "LC_ALL=C")
	cmd.WaitDelay = time.Second
	var out limited
	var errs limited
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		if line, _, _ := strings.Cut(strings.TrimSpace(errs.String()), "\n"); line != "" {
			return "", errors.New(redact.Text(strings.TrimPrefix(line, "fatal: ")))
		}
		return "", err
	case out.over:
		return "", fmt.Errorf("git says more than %d MB", maxOutput>>20)
	}
	return out.String(), nil
}

// maxOutput bounds what git may say: a go.mod, or the tags of a large repository.
const maxOutput = 16 << 20

// A limited buffer takes so much and no more.
type limited struct {
	bytes.Buffer
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxOutput {
		l.over = true
		return len(p), nil
	}
	return l.Buffer.Write(p)
}
