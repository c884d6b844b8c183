package salvage

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"gpx/envctl/bounded"
	"gpx/envctl/redact"
)

// A repo is a repository that somebody has on this machine. Git never runs in it:
// its settings are its author's, and some of them name programs. A repository of
// our own borrows its objects, and knows nothing else of it.
type repo struct {
	git    string
	source string            // where it is
	gitDir string            // its .git, or itself when it is bare
	urls   []string          // what it calls its remotes, as module paths are written
	packed map[string]string // packed tags and their objects
	dir    string            // of our own repository
}

const (
	gitFor     = time.Minute // bounds one git command
	maxOutput  = 16 << 20    // what git may say: a go.mod, an answer
	maxArchive = 1 << 30     // a tree with all of its files, packed
	maxLicense = modzip.MaxLICENSE
	maxRefs    = 64 << 20 // packed-refs
	maxConfig  = 1 << 20
)

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
	for i, dir := range dirs {
		wants := s.wants()
		if len(wants) == 0 || ctx.Err() != nil {
			return
		}
		if slices.Contains(dirs[:i], dir) {
			continue
		}
		s.report("looking in %s", dir)
		if err := s.clone(ctx, &repo{git: git, source: dir}, wants); err != nil && ctx.Err() == nil {
			s.problem("%s: not looked into: %v", dir, err)
		}
	}
}

// clone looks for versions in one repository.
func (s *seeker) clone(ctx context.Context, r *repo, wants []Want) error {
	if err := r.read(); err != nil {
		return err
	}
	at := map[string]string{} // objects that may be asked for, and their commits
	for _, w := range wants {
		for _, rev := range r.revisions(w.Version) {
			at[rev.object] = ""
		}
	}
	if len(at) == 0 {
		return nil
	}
	dir, err := s.stage.TempDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := r.borrow(ctx, dir); err != nil {
		return err
	}
	if err := r.commits(ctx, at); err != nil {
		return err
	}
	for _, w := range wants {
		for _, rev := range r.revisions(w.Version) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if commit := at[rev.object]; commit != "" && s.fromCommit(ctx, r, w, commit, rev.subdir) {
				break
			}
		}
	}
	return nil
}

// read reads what a repository says of itself, without git.
func (r *repo) read() error {
	r.gitDir = r.source
	if dot := filepath.Join(r.source, ".git"); isDir(dot) {
		r.gitDir = dot
	}
	if isDir(filepath.Join(r.gitDir, "reftable")) {
		return errors.New("its tags are in reftables, which gpx cannot read")
	}
	refs, err := bounded.ReadFile(filepath.Join(r.gitDir, "packed-refs"), maxRefs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.packed = map[string]string{}
	for line := range strings.Lines(string(refs)) {
		if id, ref, ok := strings.Cut(strings.TrimSpace(line), " "); ok && isHex(id) {
			if tag, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
				r.packed[tag] = id
			}
		}
	}
	config, _ := bounded.ReadFile(filepath.Join(r.gitDir, "config"), maxConfig) // without one it has no remotes
	for line := range strings.Lines(string(config)) {
		if key, value, ok := strings.Cut(line, "="); ok && strings.EqualFold(strings.TrimSpace(key), "url") {
			r.urls = append(r.urls, pathOfURL(value))
		}
	}
	// The go command keeps clones under a hash, and says beside it of what.
	info, _ := bounded.ReadFile(r.source+".info", maxConfig)
	if _, url, ok := strings.Cut(string(info), ":"); ok {
		r.urls = append(r.urls, pathOfURL(url))
	}
	return nil
}

// pathOfURL is a remote's URL as module paths are written: host and path alone.
func pathOfURL(url string) string {
	url = strings.Trim(strings.TrimSpace(url), `"`)
	_, rest, ok := strings.Cut(url, "://")
	if !ok { // host:path, as ssh has it
		rest = strings.Replace(url, ":", "/", 1)
	}
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		rest = rest[i+1:]
	}
	return strings.TrimSuffix(strings.Trim(rest, "/"), ".git")
}

// isOf reports whether a repository says that it is the one of a module: by the
// URL of a remote, or by where it lies.
func (r *repo) isOf(modPath string) bool {
	prefix, _, ok := module.SplitPathVersion(modPath)
	if !ok {
		return false
	}
	lies := strings.TrimSuffix(filepath.ToSlash(r.source), ".git")
	for root := prefix; strings.Contains(root, "/"); root = path.Dir(root) {
		if slices.Contains(r.urls, root) || strings.HasSuffix(lies, "/"+root) {
			return true
		}
	}
	return false
}

// tag is the object of a tag.
func (r *repo) tag(name string) (object string, ok bool) {
	if data, err := bounded.ReadFile(filepath.Join(r.gitDir, "refs", "tags", filepath.FromSlash(name)), 1<<10); err == nil {
		object = strings.TrimSpace(string(data))
		return object, isHex(object)
	}
	object, ok = r.packed[name]
	return object, ok
}

// isHex reports whether s may be the name of an object.
func isHex(s string) bool {
	return len(s) >= 12 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// A revision is where in a repository a version may be.
type revision struct {
	object string // a tag or a commit, abbreviated or not
	subdir string // below the root, "" is the root
}

// revisions are where a version would be: at the tag of its version, in the root
// or in a folder whose path ends the module's (https://go.dev/ref/mod#vcs-version).
func (r *repo) revisions(m module.Version) []revision {
	prefix, major, ok := module.SplitPathVersion(m.Path)
	if _, _, sound := escaped(m); !ok || !sound {
		return nil
	}
	version := strings.TrimSuffix(m.Version, "+incompatible")
	var out []revision
	elements := strings.Split(prefix, "/")
	for n := range elements {
		subdir := strings.Join(elements[len(elements)-n:], "/")
		object := ""
		if module.IsPseudoVersion(version) {
			rev, err := module.PseudoVersionRev(version)
			if err != nil || !isHex(rev) {
				return nil
			}
			object = rev
		} else if object, ok = r.tag(path.Join(subdir, version)); !ok {
			continue
		}
		out = append(out, revision{object, subdir})
		if strings.HasPrefix(major, "/") { // the major version may have a folder of its own
			out = append(out, revision{object, path.Join(subdir, major[1:])})
		}
	}
	return out
}

// borrow makes a repository that has the objects of r. As in the go command's own
// clones nothing is left out of an archive, or put into one.
func (r *repo) borrow(ctx context.Context, dir string) error {
	objects, err := filepath.Abs(filepath.Join(r.gitDir, "objects"))
	if err != nil {
		return err
	}
	if strings.ContainsAny(objects, "\n\r") {
		return errors.New("its path has a line break in it")
	}
	r.dir = dir
	init := []string{"init", "--quiet", "--template="}
	if config, _ := bounded.ReadFile(filepath.Join(r.gitDir, "config"), maxConfig); strings.Contains(strings.ToLower(string(config)), "objectformat = sha256") {
		init = append(init, "--object-format=sha256")
	}
	if _, err := r.say(ctx, nil, init...); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"objects/info/alternates": objects + "\n",
		"info/attributes":         "* -export-subst -export-ignore -filter\n",
	} {
		file := filepath.Join(dir, ".git", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// commits says which commits objects stand for; what is none stays "".
func (r *repo) commits(ctx context.Context, of map[string]string) error {
	var asked []string
	var in strings.Builder
	for object := range of {
		asked = append(asked, object)
		in.WriteString(object + "^{commit}\n")
	}
	text, err := r.say(ctx, strings.NewReader(in.String()), "cat-file", "--batch-check=%(objecttype) %(objectname)")
	if err != nil {
		return err
	}
	i := 0
	for line := range strings.Lines(text) {
		// One line for each that was asked; "<what was asked> missing" for what is not there.
		if commit, ok := strings.CutPrefix(strings.TrimSpace(line), "commit "); ok && i < len(asked) && isHex(commit) {
			of[asked[i]] = commit
		}
		i++
	}
	return nil
}

// fromCommit takes a version from where its go.mod says that it is, or, without a
// go.mod, from the root. A replacement keeps the name of what it replaces: there
// the hash of the go.mod tells.
func (s *seeker) fromCommit(ctx context.Context, r *repo, w Want, commit, subdir string) bool {
	mod, err := r.say(ctx, nil, "cat-file", "blob", commit+":"+path.Join(subdir, "go.mod"))
	c := candidate{source: r.source, kind: Clone, at: r.time(ctx, commit)}
	switch {
	case err == nil:
		c.weak = modfile.ModulePath([]byte(mod)) != w.Path && (subdir != "" || !r.isOf(w.Path))
	case subdir != "" || ctx.Err() != nil:
		return false
	default:
		mod = string(synthetic(w.Path))
		c.weak = !r.isOf(w.Path) // any repository without a go.mod may have that tag
	}
	c.mod = func(context.Context) ([]byte, error) { return []byte(mod), nil }
	c.zip = func(ctx context.Context, to *os.File) error { return s.archive(ctx, r, w.Version, commit, subdir, to) }
	return s.try(ctx, w, c)
}

// archive makes the zip of a version as modzip.CreateFromVCS does, which however
// runs git with all of our environment, for as long as that takes, and keeps what
// it says in memory.
func (s *seeker) archive(ctx context.Context, r *repo, m module.Version, commit, subdir string, to io.Writer) error {
	tmp, err := s.stage.Temp()
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	args := []string{"archive", "--format=zip", "-1", commit}
	if subdir != "" {
		args = append(args, "--", subdir)
	}
	out := &limited{to: tmp, left: maxArchive}
	if err := r.run(ctx, nil, out, args...); err != nil {
		return err
	}
	z, err := zip.NewReader(tmp, maxArchive-out.left)
	if err != nil {
		return err
	}
	var files []modzip.File
	haveLicense := false
	for _, f := range z.File {
		name, ok := f.Name, true
		if subdir != "" {
			name, ok = strings.CutPrefix(name, subdir+"/")
		}
		if ok && name != "" && !strings.HasSuffix(name, "/") {
			files = append(files, zipped{f, name})
			haveLicense = haveLicense || name == "LICENSE"
		}
	}
	if !haveLicense && subdir != "" { // a nested module has that of the root
		if text, err := r.say(ctx, nil, "cat-file", "blob", commit+":LICENSE"); err == nil && len(text) <= maxLicense {
			files = append(files, license(text))
		}
	}
	return modzip.Create(to, m, files)
}

// A zipped file is one of an archive, by its name in the module.
type zipped struct {
	f    *zip.File
	name string
}

func (z zipped) Path() string                 { return z.name }
func (z zipped) Lstat() (fs.FileInfo, error)  { return z.f.FileInfo(), nil }
func (z zipped) Open() (io.ReadCloser, error) { return z.f.Open() }

// A license is the text of a file LICENSE.
type license string

func (l license) Path() string                { return "LICENSE" }
func (l license) Lstat() (fs.FileInfo, error) { return l, nil }
func (l license) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(l))), nil
}

func (l license) Name() string       { return "LICENSE" }
func (l license) Size() int64        { return int64(len(l)) }
func (l license) Mode() fs.FileMode  { return 0o644 }
func (l license) ModTime() time.Time { return time.Time{} }
func (l license) IsDir() bool        { return false }
func (l license) Sys() any           { return nil }

// time is when a commit was made; zero when it does not say.
func (r *repo) time(ctx context.Context, commit string) time.Time {
	text, err := r.say(ctx, nil, "show", "--no-patch", "--format=%ct", commit)
	seconds, perr := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || perr != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// say runs git, and returns what it says.
func (r *repo) say(ctx context.Context, in io.Reader, args ...string) (string, error) {
	var out bytes.Buffer
	err := r.run(ctx, in, &limited{to: &out, left: maxOutput}, args...)
	return out.String(), err
}

// run runs git in our repository: without a network, a prompt, hooks, or anybody's
// settings.
func (r *repo) run(ctx context.Context, in io.Reader, out io.Writer, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, gitFor)
	defer cancel()
	safe := []string{
		"-c", "core.hooksPath=" + os.DevNull, "-c", "core.fsmonitor=false", "-c", "protocol.allow=never",
		"-c", "core.autocrlf=input", "-c", "core.eol=lf", // as the go command has it
	}
	cmd := exec.CommandContext(ctx, r.git, append(safe, args...)...)
	cmd.Dir = r.dir
	cmd.Env = []string{
		"GIT_DIR=" + filepath.Join(r.dir, ".git"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1", "GIT_NO_REPLACE_OBJECTS=1", "LC_ALL=C", "HOME=" + r.dir, "XDG_CONFIG_HOME=" + r.dir,
	}
	for _, name := range []string{"PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.WaitDelay = time.Second
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, &limited{to: &errs, left: 64 << 10}
	err := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, errTooMuch) || err == nil {
		return err
	}
	if line, _, _ := strings.Cut(strings.TrimSpace(errs.String()), "\n"); line != "" {
		return errors.New(redact.Text(strings.TrimPrefix(line, "fatal: ")))
	}
	return fmt.Errorf("git %s: %w", args[0], err)
}

var errTooMuch = errors.New("git says more than a module has")

// A limited writer takes so much and no more.
type limited struct {
	to   io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, errTooMuch
	}
	l.left -= int64(len(p))
	return l.to.Write(p)
}
