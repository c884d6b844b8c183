package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gpx/envctl/bounded"
	"gpx/envctl/sumdb"
)

// The checksum database of a bundle.
//
// A record comes with the signed tree head of the moment at which it was looked
// up, and a client that knows a later head wants it proven in that one. Which
// head a client knows depends on the order in which it asks, and the go command
// asks in any order; so a bundle whose records had several heads would need,
// for every pair of them, tiles that nobody ever fetched. Here all records stand
// under one head, as if they had been looked up at one moment: a record and a
// head are signed and proven apart, so the database's word is the same.
//
// The head is the one, of those that are cached, in which the cached tiles prove
// the most records. What no tile proves in it is asked for, if somebody can be
// asked, and else is unverifiable.

// A proof is the part of a bundle that answers for the checksum database.
type proof struct {
	db           string   // "" when nothing could be proven
	heads        []string // that were served before, and head
	files        []source
	unverifiable []string
	contradicted []LeftOut

	spool *spool
}

func (p *proof) close() { p.spool.close() }

// maxCandidates bounds the heads that are tried: newer ones first, since what
// they lack is what everybody lacks.
const maxCandidates = 32

// prove collects what a fresh client needs to verify the versions, and lets one
// verify them with nothing else. old is the tree that is served already.
func prove(ctx context.Context, o *ExportOptions, list []*found, old *tree) (*proof, error) {
	p := &proof{spool: newSpool()}
	q := &prover{o: o, p: p, old: old, asked: map[string]answer{}}
	if err := q.run(ctx, list); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// A prover looks for a proof.
type prover struct {
	o   *ExportOptions
	p   *proof
	old *tree

	mu    sync.Mutex
	asked map[string]answer // records that were asked for, by path
}

type answer struct {
	data []byte
	err  error
}

func (q *prover) run(ctx context.Context, list []*found) error {
	p := q.p
	wanted := []*found{}
	for _, f := range list {
		if q.verifies(f.Path) {
			wanted = append(wanted, f)
		} else {
			p.unverifiable = append(p.unverifiable, f.Version.String())
		}
	}
	best, err := q.choose(ctx, wanted)
	if err != nil {
		return err
	}
	proven := map[module.Version]bool{}
	if best != nil {
		if proven, err = q.keep(ctx, best, wanted); err != nil {
			return err
		}
	}
	for _, f := range wanted {
		if !proven[f.Version] {
			p.unverifiable = append(p.unverifiable, f.Version.String())
		}
	}
	slices.Sort(p.unverifiable)
	return nil
}

// verifies reports whether the database may be asked about a module.
func (q *prover) verifies(path string) bool {
	return q.o.SumDB.Key != "" && !q.o.SumDB.Off && !module.MatchPrefixPatterns(q.o.NoSumDB, path)
}

// A candidate is a head with what could be proven in it.
type candidate struct {
	head   []byte
	proven map[module.Version][]string // go.sum lines
	files  map[string]piece
}

// choose tries heads, the newest first, and returns the one that proves the
// most; nil when none proves anything.
func (q *prover) choose(ctx context.Context, wanted []*found) (*candidate, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	heads, wanted, err := q.heads(ctx, wanted)
	if err != nil {
		return nil, err
	}
	var best *candidate
	for _, head := range heads {
		c, err := q.try(ctx, head, wanted)
		if err != nil {
			return nil, err
		}
		if c != nil && len(c.proven) > 0 && q.covers(c, wanted) && (best == nil || len(c.proven) > len(best.proven)) {
			best = c
		}
		if best != nil && len(best.proven) == len(wanted) {
			break
		}
	}
	return best, nil
}

// covers reports whether the candidate proves all that the tree answers for.
func (q *prover) covers(c *candidate, wanted []*found) bool {
	for _, f := range wanted {
		if c.proven[f.Version] == nil && q.old.answers(q.o.SumDB.Name, f.Version) {
			return false
		}
	}
	return true
}

// heads lists the signed heads that records came with, the newest first, and
// the versions of which there is a record.
func (q *prover) heads(ctx context.Context, wanted []*found) (heads [][]byte, recorded []*found, err error) {
	verifier, err := note.NewVerifier(q.o.SumDB.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("GOSUMDB: %w", err)
	}
	bySize := map[int64][]byte{}
	add := func(head []byte) {
		n, err := note.Open(head, note.VerifierList(verifier))
		if err != nil {
			return
		}
		if t, err := tlog.ParseTree([]byte(n.Text)); err == nil {
			bySize[t.N] = head
		}
	}
	for _, text := range q.old.heads() {
		add([]byte(text))
	}
	var mu sync.Mutex
	done := int64(0)
	err = parallel(ctx, wanted, func(f *found) error {
		data, _ := q.record(ctx, f.Version)
		mu.Lock()
		defer mu.Unlock()
		if _, _, head, err := tlog.ParseRecord(data); err == nil {
			add(head)
			recorded = append(recorded, f)
		}
		done++
		q.o.report(Proving, done, 2*int64(len(wanted)))
		return nil
	})
	sizes := slices.Sorted(maps.Keys(bySize))
	slices.Reverse(sizes)
	for _, n := range sizes[:min(len(sizes), maxCandidates)] {
		heads = append(heads, bySize[n])
	}
	return heads, recorded, err
}

// record is the database's record of a version, from the cache or from whoever
// can be asked.
func (q *prover) record(ctx context.Context, m module.Version) ([]byte, error) {
	file, err := lookupFile(q.o.SumDB.Name, m)
	if err != nil {
		return nil, err
	}
	if data, err := bounded.ReadFile(filepath.Join(q.cache(), filepath.FromSlash(strings.TrimPrefix(file, "sumdb/"))), limits[partLookup]); err == nil && len(data) > 0 {
		return data, nil
	}
	return q.ask(ctx, strings.TrimPrefix(file, "sumdb/"+q.o.SumDB.Name))
}

func (q *prover) cache() string { return filepath.Join(q.o.Cache, "cache", "download", "sumdb") }

// ask reads from the tree that is served already, else asks the database.
// Records are asked for once.
func (q *prover) ask(ctx context.Context, path string) ([]byte, error) {
	if data, err := q.old.read("sumdb/" + q.o.SumDB.Name + path); err == nil && len(data) > 0 {
		return data, nil
	}
	if q.o.Remote == nil {
		return nil, errors.New("not cached, and nobody is asked")
	}
	if !strings.HasPrefix(path, "/lookup/") {
		return q.o.Remote(ctx, path)
	}
	q.mu.Lock()
	a, ok := q.asked[path]
	q.mu.Unlock()
	if !ok {
		a.data, a.err = q.o.Remote(ctx, path)
		q.mu.Lock()
		q.asked[path] = a
		q.mu.Unlock()
	}
	return a.data, a.err
}

// try proves what it can in one head; nil when that head does not continue what
// was served before.
func (q *prover) try(ctx context.Context, head []byte, wanted []*found) (*candidate, error) {
	c := &candidate{head: head, proven: map[module.Version][]string{}, files: map[string]piece{}}
	var mu sync.Mutex
	var failed error
	client := sumdb.New(sumdb.Options{
		DB: q.o.SumDB, Cache: q.cache(), Remote: q.ask, Head: head,
		Used: func(name string, data []byte) {
			at, err := q.p.spool.add(data)
			mu.Lock()
			defer mu.Unlock()
			c.files["sumdb/"+name] = at
			failed = errors.Join(failed, err)
		},
	})
	if ok, err := q.continues(ctx, c); err != nil || !ok {
		return nil, err
	}
	done := int64(0)
	err := parallel(ctx, wanted, func(f *found) error {
		lines, err := client.Lookup(ctx, f.Version)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			c.proven[f.Version] = lines
		} else if ctx.Err() != nil {
			return ctx.Err()
		}
		done++
		q.o.report(Proving, int64(len(wanted))+done, 2*int64(len(wanted)))
		return failed
	})
	return c, err
}

// continues proves that the head continues those that clients of the tree may
// remember, and keeps the tiles that say so.
func (q *prover) continues(ctx context.Context, c *candidate) (bool, error) {
	newer, err := parseHead(c.head)
	if err != nil {
		return false, nil
	}
	for _, text := range q.old.heads() {
		older, err := parseHead([]byte(text))
		if err != nil || older.N > newer.N {
			return false, nil
		}
		r := &tiles{ctx: ctx, q: q, c: c}
		hash, err := tlog.TreeHash(older.N, tlog.TileHashReader(newer, r))
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil || hash != older.Hash {
			return false, nil
		}
	}
	return true, nil
}

func parseHead(head []byte) (tlog.Tree, error) { return tlog.ParseTree(head) }

// keep makes the candidate the proof: a client that has never asked before, and
// sees nothing but the files that go into the bundle, verifies every version.
func (q *prover) keep(ctx context.Context, c *candidate, wanted []*found) (map[module.Version]bool, error) {
	fresh := sumdb.New(sumdb.Options{
		DB: q.o.SumDB, Fresh: true,
		Remote: func(_ context.Context, path string) ([]byte, error) {
			at, ok := c.files["sumdb/"+q.o.SumDB.Name+path]
			if !ok {
				return nil, fs.ErrNotExist
			}
			return q.p.spool.read(at)
		},
	})
	proven, refuted := map[module.Version]bool{}, map[module.Version]bool{}
	for _, f := range wanted {
		if c.proven[f.Version] == nil {
			continue
		}
		lines, err := fresh.Lookup(ctx, f.Version)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			continue
		}
		if why := f.contradicts(lines); why != "" {
			q.p.contradicted = append(q.p.contradicted, leftOut(f.Version, why))
			refuted[f.Version] = true
		}
		proven[f.Version] = true
	}
	p := q.p
	p.db = q.o.SumDB.Name
	if p.heads = q.old.heads(); len(p.heads) == 0 || p.heads[len(p.heads)-1] != string(c.head) {
		p.heads = append(p.heads, string(c.head))
	}
	for path, at := range c.files {
		n, ok, err := parseName(path)
		if err != nil || !ok {
			return nil, fmt.Errorf("%s: not a file of a checksum database", path)
		}
		if n.part == partLookup && (!proven[n.version] || refuted[n.version]) {
			continue
		}
		p.files = append(p.files, source{
			File: File{Path: path, Size: at.size, SHA256: at.sha256, name: n},
			at:   io.NewSectionReader(p.spool.f, at.offset, at.size),
		})
	}
	marker := name{path: "sumdb/" + p.db + "/supported", part: partSupported, db: p.db}
	p.files = append(p.files, sourceOf(marker, nil))
	slices.SortFunc(p.files, func(a, b source) int { return compareFiles(a.File, b.File) })
	return proven, nil
}

// contradicts compares a version with the lines of the database.
func (f *found) contradicts(lines []string) string {
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) != 3 || !strings.HasPrefix(fields[2], "h1:") {
			continue
		}
		switch {
		case fields[1] == f.Version.Version+"/go.mod" && f.mod != nil && fields[2] != f.modSum:
			return fmt.Sprintf("its .mod differs from the checksum database (%s, want %s)", f.modSum, fields[2])
		case fields[1] == f.Version.Version && f.zip != nil && fields[2] != f.zip.Sum:
			return fmt.Sprintf("its .zip differs from the checksum database (%s, want %s)", f.zip.Sum, fields[2])
		}
	}
	return ""
}
