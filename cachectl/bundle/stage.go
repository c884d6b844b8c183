package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/overlap"
	"gpx/envctl/advice"
	"gpx/envctl/bounded"
	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/sumdb"
)

// A stage is the folder in which an import is checked.
type stage struct {
	s   *importStep
	dir string

	top          string // clean removes empty folders up to, and not with, this one
	unverifiable int
}

func (st *stage) file(i int) string { return filepath.Join(st.dir, fmt.Sprint(i)) }
func (st *stage) hash(i int) string { return st.file(i) + ".hash" }
func (st *stage) mark() string      { return filepath.Join(st.dir, "placing") }
func (st *stage) doneDir() string   { return st.dir + ".done" }

// run reads, checks and places the files.
func (st *stage) run(ctx context.Context) error {
	for !exists(st.top) { // nobody has downloaded anything yet
		st.top = filepath.Dir(st.top)
	}
	if err := os.MkdirAll(filepath.Dir(st.dir), 0o777); err != nil {
		return err
	}
	sweep(filepath.Dir(st.dir), time.Now())
	if err := os.Mkdir(st.dir, 0o700); err != nil {
		return err
	}
	if err := st.unpack(ctx); err != nil {
		return err
	}
	proofs, err := st.prove(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(st.mark(), nil, 0o600); err != nil {
		return err
	}
	if err := st.place(ctx, proofs); err != nil {
		return err
	}
	if err := os.Rename(st.dir, st.doneDir()); err != nil {
		return err
	}
	st.clean()
	if st.unverifiable > 0 {
		change.Remark(ctx, count(st.unverifiable, "version")+" without a proof of the checksum database: go.sum has to know them")
	}
	return nil
}

// abandoned is how old the folder of an import is when nobody will come back to
// it: the journal of the process that made it is gone, or no gpx was started for
// a week.
const abandoned = 7 * 24 * time.Hour

// sweep removes such folders, and those that only have to be removed. What an
// abandoned import has placed is whole, and stays.
func sweep(dir string, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		if strings.HasSuffix(e.Name(), ".done") || now.Sub(info.ModTime()) > abandoned {
			os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

// clean removes what is left of a stage that is done or reverted, and the
// folders that only it needed.
func (st *stage) clean() {
	os.RemoveAll(st.doneDir())
	os.RemoveAll(st.dir)
	removeEmpty(filepath.Dir(st.dir), st.top)
}

// unpack writes the files that are wanted into the stage, and checks every one:
// while the stream is read here, several goroutines hash what has come.
func (st *stage) unpack(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	index := make(map[string]int, len(st.s.Add))
	var total int64
	for i, it := range st.s.Add {
		index[it.Path] = i
		total += it.Size
	}
	// Files, not bytes, wait in the channel: they lie on disk.
	arrived := make(chan int, len(st.s.Add))
	var wg sync.WaitGroup
	for range overlap.Cores() {
		wg.Go(func() {
			for i := range arrived {
				if ctx.Err() == nil {
					if err := st.check(ctx, i); err != nil {
						cancel(err)
					}
				}
			}
		})
	}
	err := st.extract(ctx, index, total, arrived)
	if err != nil {
		cancel(err)
	}
	close(arrived)
	wg.Wait()
	return context.Cause(ctx)
}

// extract reads the bundle to its end.
func (st *stage) extract(ctx context.Context, index map[string]int, total int64, arrived chan<- int) error {
	var done int64
	got := make([]bool, len(st.s.Add))
	buf := make([]byte, 256<<10)
	err := readBundle(ctx, st.s.Bundle, visitor{
		manifest: func(_ *Manifest, text []byte) (bool, error) {
			sum := sha256.Sum256(text)
			if hex.EncodeToString(sum[:]) != st.s.ID {
				return false, change.Stale("the bundle")
			}
			return false, nil
		},
		file: func(m member) error {
			i, ok := index[m.name.path]
			if !ok {
				return nil
			}
			it := &st.s.Add[i]
			if m.size != it.Size && m.want != nil {
				return change.Stale(it.Path)
			}
			f, err := os.OpenFile(st.file(i), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			if err != nil {
				return err
			}
			n, err := io.CopyBuffer(struct{ io.Writer }{f}, m.r, buf)
			if err = errors.Join(err, f.Close()); err != nil {
				return err
			}
			done += n
			got[i] = true
			change.Report(ctx, change.Progress{What: "unpacking", Done: done, Total: total, Unit: "bytes"})
			arrived <- i
			return nil
		},
	})
	if i := slices.Index(got, false); err == nil && i >= 0 {
		err = advice.Add(fmt.Errorf("%s is no longer in the bundle", st.s.Add[i].Path), "make the plan again")
	}
	return err
}

// check compares one file of the stage with all that is known of it.
func (st *stage) check(ctx context.Context, i int) error {
	it := &st.s.Add[i]
	if it.name.part == partZip {
		return st.checkZip(ctx, i)
	}
	data, err := bounded.ReadFile(st.file(i), limits[it.name.part])
	if err != nil {
		return err
	}
	switch it.name.part {
	case partLookup:
		return nil // a client of the database verifies it
	case partInfo:
		var have info
		if json.Unmarshal(data, &have) != nil || have.Version != it.name.version.Version {
			return fmt.Errorf("%s is about another version, or not an .info file", it.Path)
		}
	case partMod:
		sum, err := goModSum(data)
		if err != nil {
			return err
		}
		if len(it.Want) > 0 && !slices.Contains(it.Want, sum) {
			return fmt.Errorf("%s differs from go.sum (%s, want %s); nobody should use this bundle", it.Path, sum, it.Want[0])
		}
	}
	if got := sourceOf(it.name, data); got.SHA256 != it.SHA256 {
		return st.differs(it)
	}
	return nil
}

func (st *stage) differs(it *item) error {
	if st.s.ID == "" {
		return change.Stale(it.Path)
	}
	return advice.Add(fmt.Errorf("%s does not match its hash in the manifest", it.Path), "the bundle is damaged or was changed, fetch it again")
}

// checkZip also writes what becomes the .ziphash: the hash that was computed
// here, never one that the bundle claims.
func (st *stage) checkZip(ctx context.Context, i int) error {
	it := &st.s.Add[i]
	leave := st.leaves(it)
	s, err := readZip(ctx, st.file(i), it.name.version, !leave)
	if leave {
		s.h1 = it.Sum // the claim must agree with go.sum and the database all the same
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%s: not a zip that the go command extracts: %s", it.Path, unwrapPath(err))
	case s.sha256 != it.SHA256:
		return st.differs(it)
	case it.Sum != "" && s.h1 != it.Sum:
		return fmt.Errorf("%s has another h1 than the manifest says (%s, want %s); nobody should use this bundle", it.Path, s.h1, it.Sum)
	case len(it.Want) > 0 && !slices.Contains(it.Want, s.h1):
		return fmt.Errorf("%s differs from go.sum (%s, want %s); nobody should use this bundle", it.Path, s.h1, it.Want[0])
	}
	it.Sum = s.h1
	if err := st.hashFits(it); err != nil || leave {
		return err
	}
	return os.WriteFile(st.hash(i), []byte(s.h1), 0o666)
}

// prove has a client of the checksum database verify the versions, from what the
// cache has and then from the stage, with the tree head that the go command
// remembers. It returns the database's files that the client needed: only they
// are placed.
func (st *stage) prove(ctx context.Context) (map[int]bool, error) {
	proofs := map[int]bool{}
	staged := map[string]int{} // by name below cache/download/sumdb
	versions := map[module.Version][]int{}
	var order []module.Version
	for i, it := range st.s.Add {
		switch it.name.part {
		case partLookup, partTile:
			staged[it.Path[len("sumdb/"):]] = i
		case partMod, partZip:
			m := it.name.version
			if versions[m] == nil {
				order = append(order, m)
			}
			versions[m] = append(versions[m], i)
		}
	}
	if st.s.Key == "" {
		st.unverifiable = len(order)
		return proofs, nil
	}
	db, err := chain.ParseSumDB(st.s.Key)
	if err != nil {
		return nil, err
	}
	client := sumdb.New(sumdb.Options{
		DB: db, Cache: filepath.Join(st.s.download(), "sumdb"), Config: st.s.Config,
		Skip: func(path string) bool { return module.MatchPrefixPatterns(st.s.NoDB, path) },
		Remote: func(_ context.Context, path string) ([]byte, error) {
			i, ok := staged[db.Name+path]
			if !ok {
				return nil, errors.New("not in the bundle")
			}
			return bounded.ReadFile(st.file(i), limits[partLookup])
		},
		Used: func(name string, _ []byte) {
			if i, ok := staged[name]; ok {
				proofs[i] = true
			}
		},
	})
	for n, m := range order {
		lines, err := client.Lookup(ctx, m)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, sumdb.ErrUntrusted):
			return nil, err
		case err != nil:
			st.unverifiable++
			continue
		}
		for _, i := range versions[m] {
			if why := st.contradicts(i, lines); why != "" {
				return nil, fmt.Errorf("%s %s; nobody should use this bundle", m, why)
			}
		}
		change.Report(ctx, change.Progress{What: "asking the checksum database in the bundle", Done: int64(n + 1), Total: int64(len(order)), Unit: "versions"})
	}
	return proofs, nil
}

// contradicts compares a staged file with the database's lines.
func (st *stage) contradicts(i int, lines []string) string {
	it := &st.s.Add[i]
	f := &found{Version: it.name.version}
	switch it.name.part {
	case partZip:
		f.zip = &source{File: File{Sum: it.Sum}}
	case partMod:
		data, err := bounded.ReadFile(st.file(i), limits[partMod])
		if err == nil {
			f.modSum, err = goModSum(data)
		}
		if err != nil {
			return err.Error()
		}
		f.mod = &source{}
	}
	return f.contradicts(lines)
}

// isDone reports whether the stage came to its end. One that is gone was
// finished, or not begun: then nothing of what it adds is there.
func (st *stage) isDone() bool {
	if exists(st.doneDir()) {
		st.clean()
		return true
	}
	return !exists(st.dir) && st.allThere()
}

// allThere reports whether the cache has every file that the import adds.
func (st *stage) allThere() bool {
	for _, it := range st.s.Add {
		if it.name.db == "" && !exists(st.s.target(it.Path)) {
			return false
		}
	}
	return true
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// count writes a number with its word: 1 version, 2 versions.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
