package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/tlog"
)

// WriteTree writes the public modules as a GOPROXY file tree, for
// GOPROXY=file://dir. With sumdb the tree also holds the checksum database and
// the empty "supported" marker that makes the go command read it from there.
func (l *Lab) WriteTree(dir string, sumdb bool) error {
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
		releases, _ := versions(l.modules, m.Path)
		base := filepath.Join(dir, filepath.FromSlash(path), "@v")
		for name, data := range map[string][]byte{
			"list":            []byte(strings.Join(append(releases, ""), "\n")),
			version + ".info": m.Info,
			version + ".mod":  []byte(m.Files["go.mod"]),
			version + ".zip":  m.Zip,
		} {
			if err := writeFile(filepath.Join(base, name), data); err != nil {
				return err
			}
		}
	}
	if !sumdb {
		return nil
	}
	return l.writeSumDB(filepath.Join(dir, "sumdb", filepath.FromSlash(l.log.name)))
}

// writeSumDB writes every answer of the checksum database that a client asks for.
func (l *Lab) writeSumDB(dir string) error {
	paths := []string{"/latest"}
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
		paths = append(paths, "/lookup/"+path+"@"+version)
	}
	for _, t := range tlog.NewTiles(8, 0, int64(len(l.log.records))) {
		paths = append(paths, "/"+t.Path())
	}
	for _, p := range paths {
		r := l.log.get(p)
		if r.status != 200 {
			return fmt.Errorf("checksum database: %s: status %d", p, r.status)
		}
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(p)), r.body); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(dir, "supported"), nil)
}

func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o666)
}

// WriteGit writes a bare git repository, with a commit and a tag for every
// version, for each module under github.com/, so that "direct" works with no
// network: the go command knows that host and asks git at once. It returns the
// git configuration for GIT_CONFIG_GLOBAL that finds those repositories by their
// https addresses, and nothing else: every other https address leads nowhere on
// this machine. It needs git.
func (l *Lab) WriteGit(dir string) (config string, err error) {
	if _, err := exec.LookPath("git"); err != nil {
		return "", errors.New("lab: no git on PATH; install git")
	}
	// The longest prefix wins, so this catches what no other line names.
	text := fmt.Sprintf("[url %q]\n\tinsteadOf = https://\n", "file://"+filepath.ToSlash(filepath.Join(dir, "no-network"))+"/")
	for _, path := range l.gitPaths() {
		repo := filepath.Join(dir, filepath.FromSlash(path))
		if err := l.writeRepo(repo, path); err != nil {
			return "", err
		}
		text += fmt.Sprintf("[url %q]\n\tinsteadOf = https://%s\n", "file://"+filepath.ToSlash(repo), path)
	}
	config = filepath.Join(dir, "gitconfig")
	return config, writeFile(config, []byte(text))
}

// gitPaths are the modules that have a repository.
func (l *Lab) gitPaths() []string {
	var paths []string
	for _, m := range l.modules {
		if strings.HasPrefix(m.Path, "github.com/") && !slices.Contains(paths, m.Path) {
			paths = append(paths, m.Path)
		}
	}
	return paths
}

// writeRepo makes one repository out of a fast-import stream.
func (l *Lab) writeRepo(repo, path string) error {
	var list []*Module
	for _, m := range l.modules {
		if m.Path == path {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b *Module) int { return semver.Compare(a.Version.Version, b.Version.Version) })
	var stream bytes.Buffer
	for _, m := range list {
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter Lab <lab@example.com> %d +0000\n", m.Time.Unix())
		data(&stream, m.String())
		fmt.Fprint(&stream, "deleteall\n")
		for name, content := range m.Files {
			fmt.Fprintf(&stream, "M 100644 inline %s\n", name)
			data(&stream, content)
		}
		fmt.Fprintf(&stream, "\nreset refs/tags/%s\nfrom refs/heads/main\n\n", m.Version.Version)
	}
	if err := os.MkdirAll(repo, 0o777); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "-q", "--bare", "--template=", "--initial-branch=main", "."},
		{"fast-import", "--quiet"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = repo
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_DIR="+repo)
		if args[0] == "fast-import" {
			cmd.Stdin = &stream
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s in %s: %w: %s", args[0], repo, err, bytes.TrimSpace(out))
		}
	}
	return nil
}

// data writes one block of a fast-import stream.
func data(w *bytes.Buffer, s string) { fmt.Fprintf(w, "data %d\n%s\n", len(s), s) }
