package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gpx/cachectl/fetch"
	"gpx/envctl/sumdb"
)

const (
	// sumTime bounds one question to the checksum database, which costs some ten
	// requests where nothing is known yet.
	sumTime = 20 * time.Second
	// proofTime is the same where only wrong bytes are to be recognised: the client
	// asks again for itself.
	proofTime = 5 * time.Second
	// tileHeight is that of every tile that a go command asks for
	// (golang.org/x/mod/sumdb, Client).
	tileHeight = 8
	// maxRecords, maxTiles and maxHeads bound what is kept in memory: some 5 MB with
	// what the client of the database keeps of them, 4 MB and nothing.
	maxRecords = 2500
	maxTiles   = 512
	maxHeads   = 32
)

// Sums answer for the checksum database: what was verified, as a client of it.
//
//	lookup  the record, when a client has proven it in the signed tree
//	tile    its hashes, when they are proven in a signed tree that has them
//	latest  a head that the database signed
type sums struct {
	o        sumdb.Options
	routes   *routes
	verifier note.Verifier
	flights  flights[[]byte]
	// untrusted is told of a route whose answers do not prove themselves.
	untrusted func(name string)

	mu      sync.Mutex
	client  *sumdb.Client
	records map[string][]byte // by NAME/lookup/M@V
	tiles   map[string][]byte // by tile/…; proven
	heads   map[int64]head    // signed, by the size of their tree
}

func newSums(ctx context.Context, b Behind, hedge time.Duration, untrusted func(name string)) (*sums, error) {
	v, err := note.NewVerifier(b.SumDB.DB.Key)
	if err != nil {
		return nil, fmt.Errorf("checksum database: %w", err)
	}
	s := &sums{
		o: *b.SumDB, verifier: v, routes: newRoutes(b.Prober, b.Routes, b.SumDB.DB, cmp.Or(hedge, fetch.DefaultHedge)),
		untrusted: untrusted, tiles: map[string][]byte{}, heads: map[int64]head{},
	}
	s.flights.base = ctx
	s.o.Remote, s.o.Used, s.o.Alone = s.routes.Get, s.used, true
	s.forget()
	return s, nil
}

func (s *sums) close() {
	s.flights.wait()
	s.routes.close()
}

// forget begins with a new client and without records: what a client has told
// once it does not tell again. s is locked, or nobody knows it yet.
func (s *sums) forget() {
	s.client, s.records = sumdb.New(s.o), map[string][]byte{}
}

// used keeps what a lookup was proven with.
func (s *sums) used(name string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := strings.TrimPrefix(name, s.o.DB.Name+"/")
	if strings.HasPrefix(rest, "tile/") {
		s.keepTile(rest, data)
		return
	}
	s.records[name] = data
	if _, _, head, err := tlog.ParseRecord(data); err == nil {
		s.keepHead(head)
	}
}

// keepTile keeps a proven tile. s is locked.
func (s *sums) keepTile(path string, data []byte) {
	if len(s.tiles) >= maxTiles {
		clear(s.tiles)
	}
	s.tiles[path] = data
}

// keepHead keeps a head, when the database signed it. s is locked.
func (s *sums) keepHead(note []byte) {
	tree, err := s.tree(note)
	if err != nil {
		return
	}
	if len(s.heads) >= maxHeads { // the smallest one has the fewest tiles
		delete(s.heads, slices.Min(slices.Collect(maps.Keys(s.heads))))
	}
	s.heads[tree.N] = head{note, tree}
}

func (s *sums) tree(head []byte) (tlog.Tree, error) {
	n, err := note.Open(head, note.VerifierList(s.verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	return tlog.ParseTree([]byte(n.Text))
}

// A getter asks the checksum database for a path.
type getter = func(ctx context.Context, path string) ([]byte, error)

// trusted tries with whichever route answers. When what they say does not prove
// itself, one of them may lie, or be a login page: then each is tried alone.
func (s *sums) trusted(try func(get getter) error) error {
	err := try(s.routes.Get)
	if !errors.Is(err, sumdb.ErrUntrusted) {
		return err
	}
	for _, r := range s.routes.order() {
		alone := try(r.get)
		if alone == nil {
			return nil
		}
		if errors.Is(alone, sumdb.ErrUntrusted) {
			r.distrust()
			s.untrusted(r.name)
		}
	}
	return err
}

// record is the record of a version that was proven; nil when none is remembered.
func (s *sums) record(m module.Version) []byte {
	path, perr := module.EscapePath(m.Path)
	version, verr := module.EscapeVersion(m.Version)
	if errors.Join(perr, verr) != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[s.o.DB.Name+"/lookup/"+path+"@"+version]
}

// proven are the go.sum lines of a version whose record is remembered: what was
// proven once is so for ever, and a lookup would verify two signatures again.
func (s *sums) proven(m module.Version) (lines []string) {
	_, text, _, err := tlog.ParseRecord(s.record(m))
	if err != nil {
		return nil
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, m.Path+" "+m.Version); ok && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "/go.mod ")) {
			lines = append(lines, line)
		}
	}
	return lines
}

// proof is lines for a file that came: not at any price.
func (s *sums) proof(ctx context.Context, m module.Version) ([]string, error) {
	if lines := s.proven(m); lines != nil {
		return lines, nil
	}
	ctx, cancel := context.WithTimeout(ctx, proofTime)
	defer cancel()
	if s.routes.down() {
		return s.local().Lookup(ctx, m)
	}
	if lines, ok, err := begun(ctx); ok {
		return lines, err
	}
	return s.lines(ctx, m)
}

// local is a client that asks nobody.
func (s *sums) local() *sumdb.Client {
	o := s.o
	o.Remote = nil
	return sumdb.New(o)
}

// here are the go.sum lines of a version that this machine can prove by itself; nil
// where it cannot.
func (s *sums) here(ctx context.Context, m module.Version) []string {
	if lines := s.proven(m); lines != nil {
		return lines
	}
	lines, err := s.local().Lookup(ctx, m)
	if err != nil {
		return nil
	}
	return lines
}

// lines are the go.sum lines of a version.
func (s *sums) lines(ctx context.Context, m module.Version) (lines []string, err error) {
	s.mu.Lock()
	if len(s.records) >= maxRecords {
		s.forget()
	}
	c := s.client
	s.mu.Unlock()
	shared := true
	err = s.trusted(func(get getter) (err error) {
		if !shared {
			o := s.o
			o.Remote = get
			c = sumdb.New(o)
		}
		shared = false
		lines, err = c.Lookup(ctx, m)
		return err
	})
	return lines, err
}

// serveSum answers a request below /sumdb/.
func (c *core) serveSum(w *writer, req *http.Request, rest string) error {
	name := "…"
	if c.sums != nil {
		name = c.sums.o.DB.Name
	}
	path, ok := strings.CutPrefix(rest, name+"/")
	if !ok || c.sums == nil { // then the client asks the database itself
		return refuse(http.StatusNotFound, "%s: this relay does not answer for that checksum database", rest)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(req.Context(), sumTime)
	defer cancel()
	data, contentType, err := c.sums.get(ctx, path)
	if err != nil {
		said := c.sums.routes.said(began.Add(-proofTime)) // who was asked for the file before is not always asked again
		switch {
		case ctx.Err() != nil && req.Context().Err() == nil:
			err = errors.New("no answer in time")
		case errors.Is(err, sumdb.ErrUnavailable) && len(said) > 0:
			err = errors.New("no way to it answers")
		}
		return sumRefusal(name, path, err, said)
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	w.Write(data)
	return nil
}

// sumRefusal is what the client is told, with what each way said where none did.
func sumRefusal(name, path string, err error, said []string) error {
	status := http.StatusBadGateway
	switch {
	case errors.Is(err, errSumPath):
		status = http.StatusBadRequest
	case errors.Is(err, sumdb.ErrSkipped):
		status = http.StatusForbidden
	case errors.Is(err, sumdb.ErrUnknown):
		status = http.StatusNotFound
	}
	if status != http.StatusBadGateway {
		said = nil
	}
	text := fmt.Sprintf("checksum database %s, %s: %v", name, path, err)
	return refuse(status, "%s", strings.Join(append([]string{text}, said[:min(len(said), maxNamed)]...), "\n"))
}

var errSumPath = errors.New("this is no path of a checksum database")

// get is the verified answer to a path below the database.
func (s *sums) get(ctx context.Context, path string) (data []byte, contentType string, err error) {
	const text, binary = "text/plain; charset=utf-8", "application/octet-stream"
	kind, rest, _ := strings.Cut(path, "/")
	switch {
	case path == "supported":
		return nil, text, nil
	case path == "latest":
		data, err = s.flights.do(ctx, path, s.latest)
		return data, text, err
	case kind == "lookup":
		m, err := parseLookup(rest)
		if err != nil {
			return nil, "", err
		}
		data, err = s.flights.do(ctx, path, func(ctx context.Context) ([]byte, error) { return s.lookup(ctx, m) })
		return data, text, err
	case kind == "tile":
		t, err := tlog.ParseTilePath(path)
		if err != nil || t.H != tileHeight || t.L < 0 || t.Path() != path {
			return nil, "", errSumPath
		}
		data, err = s.flights.do(ctx, path, func(ctx context.Context) ([]byte, error) { return s.tile(ctx, t) })
		return data, binary, err
	}
	return nil, "", errSumPath
}

// parseLookup reads <escaped path>@<escaped version>.
func parseLookup(rest string) (module.Version, error) {
	path, version, ok := strings.Cut(rest, "@")
	if !ok || len(rest) > maxPath {
		return module.Version{}, errSumPath
	}
	p, perr := module.UnescapePath(path)
	v, verr := module.UnescapeVersion(version)
	if errors.Join(perr, verr) != nil {
		return module.Version{}, errSumPath
	}
	return module.Version{Path: p, Version: v}, nil
}

// lookup is the record of a version, as the database gave it.
func (s *sums) lookup(ctx context.Context, m module.Version) ([]byte, error) {
	for range 2 {
		if data := s.record(m); data != nil {
			return data, nil
		}
		if _, err := s.lines(ctx, m); err != nil {
			return nil, err
		}
		if data := s.record(m); data != nil {
			return data, nil
		}
		// Another request made it forget that in between.
	}
	return nil, errors.New("the record was verified, and is gone")
}

// latest is the largest head that is known, or what the database says.
func (s *sums) latest(ctx context.Context) ([]byte, error) {
	if heads := s.covering(0); len(heads) > 0 {
		return heads[len(heads)-1].note, nil
	}
	return s.askHead(ctx)
}

func (s *sums) askHead(ctx context.Context) (head []byte, err error) {
	err = s.trusted(func(get getter) (err error) {
		if head, err = get(ctx, "/latest"); err != nil {
			return err
		}
		if _, err := s.tree(head); err != nil {
			return fmt.Errorf("%w: what was sent as its head is not signed by it", sumdb.ErrUntrusted)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepHead(head)
	return head, nil
}
