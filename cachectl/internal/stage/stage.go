// Package stage gathers module versions that were proven, before they go into a
// module cache.
//
// A stage is a folder that is a plain GOPROXY file tree:
//
//	<escaped path>/@v/<escaped version>.info .mod .zip
//
// A file gets its name in it when its hash was found to be the right one, and not
// before. So a stage may be left behind at any instant and gone on with, and any
// go command could use it as GOPROXY=file://…; gpx/cachectl/bundle takes it in.
package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"gpx/cachectl/internal/ziphash"
	"gpx/envctl/bounded"
	"gpx/envctl/project"
	"gpx/probe"
)

// A Proof says what vouches for a file.
type Proof string

// The proofs.
const (
	ByGoSum    Proof = "go.sum"
	ByDatabase Proof = "checksum database"
	// Unverified: nothing vouches for it, and the go command would want nothing
	// (GOPRIVATE, GONOSUMDB or GOSUMDB=off, and no go.sum line).
	Unverified Proof = "unverified"
)

// ErrNoProof says that there is nothing to compare a file with.
var ErrNoProof = errors.New("go.sum has no line for it, and the checksum database cannot be asked")

// A Mismatch is a file that is not the one that it should be.
type Mismatch struct {
	What      string // "zip" or "go.mod"
	Got, Want string // h1
	By        Proof
}

func (e *Mismatch) Error() string {
	return fmt.Sprintf("its %s is %s, and %s says %s", e.What, e.Got, e.By, e.Want)
}

// Proofs are what files are compared with.
type Proofs struct {
	Sums project.Sums // go.sum
	// Lookup asks the checksum database for the go.sum lines of a version; nil
	// when there is none.
	Lookup func(ctx context.Context, m module.Version) ([]string, error)
	// Skip reports whether the go command verifies nothing of a path that go.sum
	// does not know.
	Skip func(path string) bool
	// Pass makes what nothing can prove now Unverified instead of refused: for
	// who passes it on to a go command, which verifies it by itself.
	Pass bool
}

// Zip compares the hash of a zip.
func (p *Proofs) Zip(ctx context.Context, m module.Version, sum string) (Proof, error) {
	return p.check(ctx, m, m, "zip", sum)
}

// Mod compares a go.mod.
func (p *Proofs) Mod(ctx context.Context, m module.Version, data []byte) (Proof, error) {
	return p.check(ctx, m, module.Version{Path: m.Path, Version: m.Version + "/go.mod"}, "go.mod", probe.ModSum(data))
}

func (p *Proofs) check(ctx context.Context, m, key module.Version, what, sum string) (Proof, error) {
	want := ""
	for _, h := range p.Sums[key] {
		if h == sum {
			return ByGoSum, nil
		}
		if strings.HasPrefix(h, "h1:") {
			want = h
		}
	}
	switch {
	case want != "":
		return "", &Mismatch{what, sum, want, ByGoSum}
	case p.Skip != nil && p.Skip(m.Path):
		return Unverified, nil
	case p.Lookup == nil:
		return p.unproven(ctx, ErrNoProof)
	}
	lines, err := p.Lookup(ctx, m)
	if err != nil {
		return p.unproven(ctx, fmt.Errorf("%w: %w", ErrNoProof, err))
	}
	for _, line := range lines {
		if h, ok := strings.CutPrefix(line, key.Path+" "+key.Version+" "); ok {
			if h == sum {
				return ByDatabase, nil
			}
			return "", &Mismatch{what, sum, h, ByDatabase}
		}
	}
	return p.unproven(ctx, ErrNoProof)
}

func (p *Proofs) unproven(ctx context.Context, err error) (Proof, error) {
	if p.Pass && ctx.Err() == nil {
		return Unverified, nil
	}
	return "", err
}

// A Stage is a folder of proven files.
type Stage struct {
	Dir    string
	proofs *Proofs
}

// Open makes a stage of dir, which need not exist. What a killed process was
// about to prove goes.
func Open(dir string, p *Proofs) (*Stage, error) {
	if err := os.MkdirAll(filepath.Join(dir, incoming), 0o700); err != nil {
		return nil, err
	}
	s := &Stage{dir, p}
	old, err := os.ReadDir(filepath.Join(dir, incoming))
	if err != nil {
		return nil, err
	}
	for _, e := range old {
		// Another process may be writing into it now.
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > time.Hour {
			os.RemoveAll(filepath.Join(dir, incoming, e.Name()))
		}
	}
	return s, nil
}

// incoming is the folder of what is not proven. No module path begins so.
const incoming = "!incoming"

// Temp creates a file for what is not proven yet. The caller removes it.
func (s *Stage) Temp() (*os.File, error) {
	return os.CreateTemp(filepath.Join(s.Dir, incoming), "*")
}

// TempDir creates a folder for what is not proven yet. The caller removes it.
func (s *Stage) TempDir() (string, error) {
	return os.MkdirTemp(filepath.Join(s.Dir, incoming), "*")
}

// Seal removes what is no part of the tree, so that it can be taken in.
func (s *Stage) Seal() error { return os.RemoveAll(filepath.Join(s.Dir, incoming)) }

// Remove removes the stage.
func (s *Stage) Remove() error { return os.RemoveAll(s.Dir) }

// File is where a file of a version is, or will be.
func (s *Stage) File(m module.Version, f probe.File) (string, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return "", err
	}
	return filepath.Join(s.Dir, filepath.FromSlash(path), "@v", version+"."+string(f)), nil
}

// Has reports whether a file is there: then it was proven.
func (s *Stage) Has(m module.Version, f probe.File) bool {
	name, err := s.File(m, f)
	if err != nil {
		return false
	}
	fi, err := os.Lstat(name)
	return err == nil && fi.Mode().IsRegular()
}

// Proven reports whether a file is there that an earlier run took in, and what
// vouches for it now: go.sum may be another one since. What nothing vouches for
// any more goes.
func (s *Stage) Proven(ctx context.Context, m module.Version, f probe.File) (by Proof, ok bool) {
	if !s.Has(m, f) {
		return "", false
	}
	name, err := s.File(m, f)
	if err != nil {
		return "", false
	}
	switch f {
	case probe.Zip:
		var sum string
		if sum, err = ziphash.SumFile(ctx, name); err == nil {
			by, err = s.proofs.Zip(ctx, m, sum)
		}
	case probe.Mod:
		var data []byte
		if data, err = s.Mod(m); err == nil {
			by, err = s.proofs.Mod(ctx, m, data)
		}
	}
	if err != nil && ctx.Err() == nil {
		os.Remove(name)
	}
	return by, err == nil
}

// Add moves a file of [Stage.Temp] in, when it is proven. Nothing vouches for an
// .info.
func (s *Stage) Add(ctx context.Context, m module.Version, f probe.File, file string) (by Proof, err error) {
	if f == probe.Zip {
		return s.AddZip(ctx, m, file)
	}
	data, err := bounded.ReadFile(file, probe.MaxSize(f))
	if err != nil {
		return "", err
	}
	if f == probe.Info {
		err = checkInfo(m, data)
	} else {
		by, err = s.proveMod(ctx, m, data)
	}
	if err != nil {
		return "", err
	}
	return by, s.move(m, f, file)
}

// AddInfo takes an .info in, when it is one of that version.
func (s *Stage) AddInfo(m module.Version, data []byte) error {
	if err := checkInfo(m, data); err != nil {
		return err
	}
	return s.put(m, probe.Info, data)
}

func checkInfo(m module.Version, data []byte) error {
	var info struct{ Version string }
	if err := json.Unmarshal(data, &info); err != nil {
		return fmt.Errorf("its .info is none: %w", err)
	}
	if info.Version != m.Version {
		return fmt.Errorf("its .info is that of version %q", info.Version)
	}
	return nil
}

// MakeInfo takes an .info in that says no more than is known: the time may be
// zero.
func (s *Stage) MakeInfo(m module.Version, at time.Time) error {
	info := struct {
		Version string
		Time    *time.Time `json:",omitempty"`
	}{Version: m.Version}
	if !at.IsZero() {
		at = at.UTC()
		info.Time = &at
	}
	data, err := json.Marshal(info)
	if err != nil {
		return err
	}
	return s.put(m, probe.Info, data)
}

// AddMod takes a go.mod in, when it is proven.
func (s *Stage) AddMod(ctx context.Context, m module.Version, data []byte) (Proof, error) {
	by, err := s.proveMod(ctx, m, data)
	if err != nil {
		return "", err
	}
	return by, s.put(m, probe.Mod, data)
}

func (s *Stage) proveMod(ctx context.Context, m module.Version, data []byte) (Proof, error) {
	by, err := s.proofs.Mod(ctx, m, data)
	if err == nil && modfile.ModulePath(data) == "" {
		err = errors.New("its go.mod has no module line")
	}
	return by, err
}

// AddZip takes a zip in, when it is proven. The file is moved.
func (s *Stage) AddZip(ctx context.Context, m module.Version, file string) (Proof, error) {
	sum, err := ziphash.SumFile(ctx, file)
	if err != nil {
		return "", fmt.Errorf("its zip cannot be read: %w", err)
	}
	by, err := s.proofs.Zip(ctx, m, sum)
	if err != nil {
		return "", err
	}
	return by, s.move(m, probe.Zip, file)
}

// move gives a proven file its name. Copying it would be a second file made and one
// removed, which costs ext4 more than all else here: it looks for an inode that was
// not in use a moment ago.
func (s *Stage) move(m module.Version, f probe.File, file string) error {
	name, err := s.File(m, f)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	return os.Rename(file, name)
}

func (s *Stage) put(m module.Version, f probe.File, data []byte) error {
	tmp, err := s.Temp()
	if err != nil {
		return err
	}
	_, err = bytes.NewReader(data).WriteTo(tmp)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = s.move(m, f, tmp.Name())
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

// Mod reads a go.mod that was taken in; fs.ErrNotExist when it was not.
func (s *Stage) Mod(m module.Version) ([]byte, error) {
	name, err := s.File(m, probe.Mod)
	if err != nil {
		return nil, err
	}
	if !s.Has(m, probe.Mod) {
		return nil, fs.ErrNotExist
	}
	return bounded.ReadFile(name, probe.MaxSize(probe.Mod))
}
