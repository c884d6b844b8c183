package probe

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gpx/envctl/chain"
	"gpx/envctl/wire"
)

// probeSumDB asks the checksum database for the canary as the go command's client
// does: /supported where a proxy is in between, then the lookup, the tiles that
// prove it, and the signature on the tree head.
func (p *Prober) probeSumDB(ctx context.Context, ep Endpoint) Result {
	m := ep.canary()
	ctx, cancel := p.attempt(ctx)
	defer cancel()
	s := p.newSession()
	defer s.close()
	base, x := parseBase(ep)
	if x != nil {
		return p.sumdbResult(ep, m, x, false)
	}
	if ep.SumDB.Name == "" {
		x = &exchange{finding: finding{ConfigInvalid, LayerConfig, "no checksum database is named"}}
		return p.sumdbResult(ep, m, x, false)
	}
	start := time.Now()
	var opening *exchange // the request that opened the connection
	if isProxied(base, ep.SumDB) {
		opening = s.get(ctx, joinURL(base, "supported"), p.cfg.BodyLimit)
		if !opening.whole {
			opening.unavailable("supported", p.patience())
			return p.sumdbResult(ep, m, opening, false)
		}
	}
	c := p.newSumClient(ctx, s, base, ep.SumDB)
	_, x = c.lookup(m)
	if opening != nil {
		x.phases.DNS, x.phases.TCP, x.phases.TLS = opening.phases.DNS, opening.phases.TCP, opening.phases.TLS
	}
	x.phases.Total = wire.Millis(time.Since(start))
	return p.sumdbResult(ep, m, x, opening != nil || x.class == OK)
}

func (p *Prober) sumdbResult(ep Endpoint, m module.Version, x *exchange, supported bool) Result {
	r := p.result(ep, m, x)
	r.SumDB = &SumDBResult{Name: ep.SumDB.Name, Supported: supported, Class: x.class}
	return r
}

// isProxied reports whether a base URL is one that a module proxy serves the
// database under (dbClient.initBase).
func isProxied(base *url.URL, db chain.SumDB) bool {
	return db.URL == "" && strings.HasSuffix(strings.TrimSuffix(base.Path, "/"), "/sumdb/"+db.Name)
}

// requestSumDB makes one of the database's requests: at a hop under /sumdb/NAME,
// at the database's own base without. Its class is that of the answer itself.
func (p *Prober) requestSumDB(ctx context.Context, s *session, ep Endpoint, base *url.URL, m module.Version, f File) *exchange {
	if ep.SumDB.Name == "" {
		return &exchange{finding: finding{ConfigInvalid, LayerConfig, "no checksum database is named"}}
	}
	if ep.Kind != KindSumDB {
		base = joinURL(base, "sumdb/"+ep.SumDB.Name)
	}
	if f == Supported {
		x := s.get(ctx, joinURL(base, "supported"), p.cfg.BodyLimit)
		x.judge(ctx, m, f)
		if base.Scheme == "file" && ep.Kind == KindFile {
			p.checkTree(base, x)
		}
		return x
	}
	c := p.newSumClient(ctx, s, base, ep.SumDB)
	if f == Lookup || f == Head {
		path, err := lookupPath(m)
		if err != nil {
			return &exchange{finding: finding{ConfigInvalid, LayerConfig, err.Error()}}
		}
		c.ReadRemote(path) // its error is in what it keeps
		if c.first.finding = c.judgeLookup(); c.first.class == OK {
			c.first.record = c.first.body
		}
		return c.first
	}
	lines, x := c.lookup(m)
	x.lines = lines
	switch {
	case x.class == OK && c.tile != nil:
		c.tile.lines = lines
		return c.tile
	case x.class == OK || c.failed == nil:
		return x
	default:
		return c.failed
	}
}

// lookupPath is the path of a lookup (golang.org/x/mod/sumdb.Client.Lookup).
func lookupPath(m module.Version) (string, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return "", err
	}
	return "/lookup/" + path + "@" + version, nil
}

// A sumClient runs golang.org/x/mod/sumdb's client, the go command's own, over a
// session, and keeps apart what it forgets: which request failed, and how. It
// stores nothing.
type sumClient struct {
	p    *Prober
	ctx  context.Context
	s    *session
	base *url.URL
	db   chain.SumDB
	fork bool // compare with the tree head that the go command remembers

	mu       sync.Mutex
	first    *exchange // the lookup
	failed   *exchange // the first request that failed
	tile     *exchange // the last tile
	page     *exchange // a tile that looks like a web page, as good ones may
	where    string    // what failed asked for
	security string    // the client's own alarm
}

func (p *Prober) newSumClient(ctx context.Context, s *session, base *url.URL, db chain.SumDB) *sumClient {
	return &sumClient{p: p, ctx: ctx, s: s, base: base, db: db}
}

// lookup asks for a module version and verifies all of the answer. The lines are
// those of go.sum; the exchange has one of the classes ok, sumdb_unavailable,
// sumdb_untrusted, captive_portal and config_invalid, one of those that hang, or
// unknown where the time was too short to say; its layer and detail say what is
// behind that.
func (c *sumClient) lookup(m module.Version) (lines []string, x *exchange) {
	if err := c.checkLatest(); err != nil {
		return nil, &exchange{finding: finding{ConfigInvalid, LayerSumDB, err.Error()}}
	}
	client := sumdb.NewClient(c)
	lines, err := client.Lookup(m.Path, m.Version)
	if err == nil {
		var mod []string
		mod, err = client.Lookup(m.Path, m.Version+"/go.mod") // the same answer, not asked again
		lines = append(lines, mod...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	x = &exchange{finding: finding{OK, LayerSumDB, ""}}
	if c.first != nil {
		copied := *c.first
		x = &copied
		x.finding = finding{OK, LayerSumDB, ""}
	}
	switch {
	case err == nil && len(lines) == 0:
		x.finding = finding{SumDBUntrusted, LayerSumDB, "the answer to a lookup is about something else"}
	case err == nil:
		return lines, x
	case c.security != "":
		x.finding = finding{SumDBUntrusted, LayerSumDB, c.security}
	case c.failed != nil:
		failed := *c.failed
		x = &failed
		x.unavailable(c.where, c.p.patience())
	case c.page != nil:
		page := *c.page
		x = &page
		x.unavailable("tile", c.p.patience())
	case c.first != nil && c.judgeLookup().class == ProtocolInvalid:
		x.finding = c.judgeLookup()
		x.unavailable("lookup", c.p.patience())
	default:
		x.finding = finding{SumDBUntrusted, LayerSumDB, firstLine([]byte(err.Error()))}
	}
	return nil, x
}

// judgeLookup says what the answer to the lookup is worth by itself: whether it
// is a record, and whether the tree head in it is signed by the database's key.
func (c *sumClient) judgeLookup() finding {
	if c.first.class != OK {
		return c.first.finding
	}
	_, _, head, err := tlog.ParseRecord(c.first.body)
	if err != nil {
		return finding{ProtocolInvalid, LayerProtocol, "no record of a checksum database"}
	}
	if err := c.verify(head); err != nil {
		return finding{SumDBUntrusted, LayerSumDB, "the tree head is not signed by the key of " + c.db.Name}
	}
	return finding{OK, LayerSumDB, ""}
}

// verify checks the signature on a tree head.
func (c *sumClient) verify(head []byte) error {
	v, err := note.NewVerifier(c.db.Key)
	if err != nil {
		return err
	}
	_, err = note.Open(head, note.VerifierList(v))
	return err
}

// patience is how long one request for the database must go unanswered to hang:
// requests that follow one another share the time of an attempt, and the last one
// may have little of it left.
func (p *Prober) patience() time.Duration { return p.cfg.Attempt / 2 }

// unavailable turns the failure of one request into that of the database. A web
// page keeps its class, because it tells more, and so does what hangs: the go
// command then hangs too.
func (x *exchange) unavailable(where string, patience time.Duration) {
	silent := x.class == Timeout || x.class == Stalled
	switch {
	case x.class == OK && x.html || x.class == CaptivePortal:
		x.finding = finding{CaptivePortal, LayerProtocol, "/" + where + ": a web page instead of an answer"}
	case x.class == ClassUnknown:
	case silent && time.Duration(x.phases.Total) < patience:
		x.finding = finding{ClassUnknown, x.layer, "/" + where + ": it answers so slowly that the time was up before the proof was complete"}
	case x.class.Info().Hangs:
		x.detail = "/" + where + ": " + x.detail
	default:
		x.finding = finding{SumDBUnavailable, x.layer, fmt.Sprintf("/%s: %s: %s", where, x.class.Words(), x.detail)}
	}
}

// ReadRemote makes the client's requests.
func (c *sumClient) ReadRemote(path string) ([]byte, error) {
	x := c.s.get(c.ctx, joinURL(c.base, path), c.p.cfg.BodyLimit)
	isLookup := strings.HasPrefix(path, "/lookup/")
	if isLookup && x.class == OK && x.html {
		x.finding = finding{CaptivePortal, LayerProtocol, "a web page instead of " + path}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case isLookup:
		c.first = x
	default:
		c.tile = x
		if x.class == OK && x.html {
			c.page = x
		}
	}
	if x.class == OK {
		return x.body, nil
	}
	// A partial tile that is gone is no failure yet: the client asks for the full
	// one. Any other failure tells more.
	if c.failed == nil || c.failed.class == NotFound {
		c.failed = x
		c.where, _, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if !isLookup {
			c.where = strings.TrimPrefix(path, "/")
		}
	}
	return nil, errors.New(x.detail)
}

// checkLatest looks at the tree head that the go command remembers: a damaged one
// fails every lookup of the go command, wherever it asks.
func (c *sumClient) checkLatest() error {
	head, err := c.remembered()
	if err != nil || len(head) == 0 {
		return err
	}
	if c.verify(head) != nil {
		return errors.New("GOPATH/pkg/sumdb/" + c.db.Name + "/latest is damaged: remove it")
	}
	return nil
}

// remembered is the tree head that the go command keeps.
func (c *sumClient) remembered() ([]byte, error) {
	list := splitList(c.p.env.Get("GOPATH"))
	if len(list) == 0 || list[0] == "" || c.ctx.Err() != nil {
		return nil, nil // without time, the request that follows says so better
	}
	path := filepath.Join(list[0], "pkg", "sumdb", filepath.FromSlash(c.db.Name), "latest")
	file, answered := c.p.files.read(c.ctx, path, c.p.cfg.BodyLimit)
	switch {
	case !answered && errors.Is(c.ctx.Err(), context.Canceled):
		return nil, nil
	case !answered:
		return nil, errors.New("the file system does not answer: " + path)
	case errors.Is(file.err, os.ErrNotExist):
		return nil, nil
	}
	return file.data, file.err
}

// ReadConfig gives the key, and a tree head to begin with. At first there is
// none: the client would ask for the tiles of the one that the go command
// remembers, which that has in its cache. In a deep probe it is given when the
// client comes back with the database's present head, unless that is the older
// one, so that a fork shows.
func (c *sumClient) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(c.db.Key), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == nil || !c.fork {
		return nil, nil
	}
	head, err := c.remembered()
	if err != nil || len(head) == 0 || treeSize(head) > treeSize(lookupHead(c.first.body)) {
		return nil, nil
	}
	return head, nil
}

func lookupHead(record []byte) []byte {
	_, _, head, _ := tlog.ParseRecord(record)
	return head
}

func treeSize(head []byte) int64 {
	tree, err := tlog.ParseTree(head)
	if err != nil {
		return 0
	}
	return tree.N
}

// WriteConfig remembers nothing.
func (c *sumClient) WriteConfig(string, []byte, []byte) error { return nil }

// ReadCache has nothing, so that every probe asks for tiles.
func (c *sumClient) ReadCache(string) ([]byte, error) { return nil, os.ErrNotExist }

// WriteCache stores nothing.
func (c *sumClient) WriteCache(string, []byte) {}

// Log is not used by the client.
func (c *sumClient) Log(string) {}

// SecurityError is called when the database contradicts itself.
func (c *sumClient) SecurityError(string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.security = "the database contradicts the tree head that this machine has seen: a fork"
}

// SumDBRoute walks the chain as the checksum database's client does at its first
// request (cmd/go/internal/modfetch/sumdb.go, initBase). It returns one result per
// hop asked, and the raw base URL that the client then uses. An empty base means
// that it ends with an error, or hangs: with the last result that failed.
func (p *Prober) SumDBRoute(ctx context.Context, c chain.Chain, db chain.SumDB) (route []Result, base string) {
	route = []Result{}
	if db.Off {
		return route, ""
	}
	if db.URL != "" {
		return route, db.URL
	}
	failed := false // an error better than "not found" stands (TryProxies' proxyRank)
	for _, hop := range c.Hops {
		switch hop.Kind {
		case chain.Direct:
			// Its "not found" outranks every proxy's error.
			return route, db.Direct()
		case chain.Off:
			if failed {
				return route, ""
			}
			return route, db.Direct()
		}
		r := p.Request(ctx, Endpoint{URL: hop.URL, Kind: Kind(hop.Kind), SumDB: db}, module.Version{}, Supported)
		route = append(route, r)
		switch {
		case r.Whole: // whatever it says
			u, err := url.Parse(hop.URL)
			if err != nil {
				return route, "" // a chain holds no such hop
			}
			return route, joinURL(u, "sumdb/"+db.Name).String()
		case r.Class == NotFound || r.Class == MissingFile:
			continue
		}
		failed = true
		if r.Class.Action(chain.Pipe) == Hang || hop.Separator != chain.Pipe {
			return route, ""
		}
	}
	if failed {
		return route, ""
	}
	return route, db.Direct()
}
