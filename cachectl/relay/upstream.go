package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"gpx/cachectl/fetch"
	"gpx/cachectl/internal/stage"
	"gpx/envctl/bounded"
	"gpx/envctl/chain"
	"gpx/probe"
)

// Fetched is a constant file that came, under its name in the stage.
type fetched struct {
	name, from string
	rescued    bool
}

// An answer is a list, @latest, or the .info of a branch.
type answer struct {
	body    []byte
	from    string
	rescued bool
	stale   bool
}

// fromHeader names in an answer who gave it, staleHeader says that nobody could
// be asked and that it is what the module cache knows.
const (
	fromHeader  = "Gpx-From"
	staleHeader = "Gpx-Stale"
)

// serveFile answers with a constant file.
func (c *core) serveFile(w *writer, req *http.Request, t target) (from string, err error) {
	ctx := req.Context()
	if ok, err := c.serveCached(w, req, t); ok {
		return fromCache, err
	}
	name, err := c.stage.File(t.m, t.file)
	if err != nil {
		return "", err
	}
	if from, is := c.kept.doubted(name); is && !c.sums.routes.down() {
		if err := c.proveAgain(ctx, t, name, from); err != nil {
			return "", err
		}
	}
	got := fetched{name: name, from: "stage"}
	for try := 0; ; try++ { // a file may be the oldest, and gone, before it is opened
		f, err := openRegular(got.name)
		switch {
		case err == nil:
			defer f.Close()
			if got.rescued {
				c.r.count(w, func(s *Stats) { s.Rescued++ })
			}
			return got.from, w.file(req, t.file, f, got.from)
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		case try == 2:
			return "", fmt.Errorf("the relay's folder is too small: %w", err)
		}
		if got, err = c.files.do(ctx, t.String(), func(ctx context.Context) (fetched, error) { return c.fetch(ctx, t, name) }); err != nil {
			return "", err
		}
	}
}

const fromCache = "cache"

// serveCached answers out of the go command's own cache, if it can.
func (c *core) serveCached(w *writer, req *http.Request, t target) (ok bool, err error) {
	count := func() { c.r.count(w, func(s *Stats) { s.FromCache++ }) }
	if t.file != probe.Zip {
		got, ok := c.cachedSmall(req.Context(), t)
		if ok {
			count()
			w.small(req, t.file, got, fromCache)
		}
		return ok, nil
	}
	f := c.cachedZip(req.Context(), t)
	if f == nil {
		return false, nil
	}
	defer f.Close()
	count()
	return true, w.file(req, t.file, f, fromCache)
}

// fetch gets a constant file into the stage.
func (c *core) fetch(ctx context.Context, t target, name string) (fetched, error) {
	if c.stage.Has(t.m, t.file) { // it came between the asker's look and now
		return fetched{name: name, from: "stage"}, nil
	}
	look, end := c.ahead(ctx, t)
	defer end()
	var doubt atomic.Bool
	race, err := c.race(ctx, t, func(ctx context.Context, file string) error {
		if c.verifies(t) { // its folder is made while the database is asked: two milliseconds
			var made sync.WaitGroup
			made.Go(func() { os.MkdirAll(filepath.Dir(name), 0o700) }) // the stage says what is wrong with it
			defer made.Wait()
		}
		by, err := c.stage.Add(look.with(ctx), t.m, t.file, file)
		if err == nil && by == stage.Unverified && c.verifies(t) {
			doubt.Store(true)
		}
		return err
	})
	if err != nil {
		return fetched{}, err
	}
	c.kept.add(name)
	if doubt.Load() {
		c.kept.doubt(name, race.Source)
	}
	return fetched{name, race.Source, rescued(c.Chain, race)}, nil
}

// verifies reports whether the checksum database can vouch for a file, now or later.
func (c *core) verifies(t target) bool {
	return c.sums != nil && t.file != probe.Info && (c.Skip == nil || !c.Skip(t.m.Path))
}

// proveAgain looks again at a file that nothing could vouch for when it came. Wrong
// bytes go: they would be what everybody is told who asks later.
func (c *core) proveAgain(ctx context.Context, t target, name, from string) error {
	_, err := c.files.do(ctx, "again "+t.String(), func(ctx context.Context) (fetched, error) {
		by, ok := c.stage.Proven(ctx, t.m, t.file)
		switch {
		case ctx.Err() != nil:
			return fetched{}, ctx.Err()
		case !ok: // the stage has removed it
			c.kept.gone(name)
			c.r.counts.wrong(from)
		default:
			c.kept.settle(name, by != stage.Unverified)
		}
		return fetched{}, nil
	})
	return err
}

// serveAnswer answers with what changes.
func (c *core) serveAnswer(w *writer, req *http.Request, t target) (from string, err error) {
	got, err := c.answers.do(req.Context(), t.String(), func(ctx context.Context) (answer, error) { return c.ask(ctx, t) })
	if err != nil {
		return "", err
	}
	c.r.count(w, func(s *Stats) {
		if got.rescued {
			s.Rescued++
		}
		if got.stale {
			s.Stale++
		}
	})
	if got.stale {
		w.Header().Set(staleHeader, "1")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.body(t.file, got.body, got.from)
	return got.from, nil
}

// ask asks the upstreams what changes; when none answers, the cache.
func (c *core) ask(ctx context.Context, t target) (answer, error) {
	bodies := make(chan []byte, 1)
	race, err := c.race(ctx, t, func(_ context.Context, file string) error {
		data, err := bounded.ReadFile(file, probe.MaxSize(t.file))
		if err == nil {
			err = fit(t.file, data)
		}
		if err == nil {
			select {
			case bodies <- data:
			default: // another was faster
			}
		}
		return err
	})
	var no *refusal
	switch {
	case err == nil:
		return answer{body: <-bodies, from: race.Source, rescued: rescued(c.Chain, race)}, nil
	case errors.As(err, &no) && no.status >= 500:
		if data := c.stale(t); data != nil {
			return answer{body: data, from: fromCache, stale: true}, nil
		}
	}
	return answer{}, err
}

// fit says why what changes is none of its kind. The go command reads a list without
// versions out of anything, and takes an @latest without a version: while another has a
// better one, neither is an answer.
func fit(f probe.File, data []byte) error {
	if f != probe.List {
		var info struct{ Version string }
		if err := json.Unmarshal(data, &info); err != nil || !semver.IsValid(info.Version) {
			return errors.New("it names no version")
		}
		return nil
	}
	control := func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) && !unicode.IsSpace(r) }
	if bytes.ContainsFunc(data, control) || json.Valid(data) {
		return errors.New("it is no list of versions")
	}
	return nil
}

// race asks the upstreams, and makes of "nobody" what the client is told.
func (c *core) race(ctx context.Context, t target, take func(context.Context, string) error) (fetch.Race, error) {
	select {
	case c.r.slots <- struct{}{}:
		defer func() { <-c.r.slots }()
	case <-ctx.Done():
		return fetch.Race{}, ctx.Err()
	}
	if c.Hidden != nil && c.Hidden(t.m.Path) {
		return fetch.Race{}, refuse(http.StatusNotFound, "%s is private (GONOPROXY): no proxy is asked for it, and it is not in the module cache", t.m.Path)
	}
	eps := slices.DeleteFunc(slices.Clone(c.Sources(t.m)), func(ep probe.Endpoint) bool { return ep.Kind == probe.KindDirect })
	race := c.rounds(ctx, eps, t, take)
	if noRoom(race.Broken) && !race.Won && c.kept.clear() {
		race = c.rounds(ctx, eps, t, take)
	}
	switch {
	case race.Won:
		return race, nil
	case ctx.Err() != nil:
		return race, ctx.Err()
	case race.Broken != nil:
		return race, c.r.broken(t, race.Broken)
	}
	return race, c.refusalOf(t, race)
}

// rounds asks once; again, where an upstream broke rather than answered; and in
// the end with more patience, where one was only late: unless that was in vain a
// moment ago.
func (c *core) rounds(ctx context.Context, eps []probe.Endpoint, t target, take func(context.Context, string) error) fetch.Race {
	var before []fetch.Tried
	round := func(p probe.Patience) fetch.Race {
		race := c.racer.GetWithin(ctx, p, eps, t.m, t.file, take)
		if race.Won || ctx.Err() == nil { // what was given up says nothing
			c.r.counts.race(race)
		}
		if race.Won { // what came before is what it was saved from
			race.Passed = append(race.Passed, before...)
		}
		before = race.Tried
		return race
	}
	over := func(race fetch.Race) bool { return race.Won || race.Broken != nil || ctx.Err() != nil }
	race := round(c.r.o.Patience)
	if !over(race) && slices.ContainsFunc(race.Tried, passing) {
		race = round(c.r.o.Patience)
	}
	if !over(race) && slices.ContainsFunc(race.Tried, late) && !c.vain.now() {
		if race = round(c.r.o.Longer); !over(race) {
			c.vain.begin(vainRest)
		}
	}
	return race
}

// A rest is a while in which something is left alone.
type rest struct {
	mu    sync.Mutex
	until time.Time
}

func (r *rest) begin(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until = time.Now().Add(d)
}

func (r *rest) now() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.until)
}

func late(t fetch.Tried) bool { return t.Class == probe.Timeout || t.Class == probe.Stalled }

// passing reports whether a failure may be over at once: a connection or a server
// that broke. Who did not answer in time is not waited for twice.
func passing(t fetch.Tried) bool {
	switch t.Class {
	case probe.Reset, probe.EOF, probe.Truncated, probe.ServerError:
		return true
	}
	return false
}

// maxNamed is how many upstreams a text names: the go command prints 8 lines of it.
const maxNamed = 6

// refusalOf is what the client is told when nobody gave a file.
func (c *core) refusalOf(t target, race fetch.Race) *refusal {
	var b strings.Builder
	status := http.StatusBadGateway
	switch {
	case len(race.Tried) == 0 && isOff(c.Chain):
		fmt.Fprintf(&b, "%s: GOPROXY=off, and it is not in the module cache", what(t))
	case len(race.Tried) == 0:
		fmt.Fprintf(&b, "%s: there is no upstream that may be asked for it, and it is not in the module cache", what(t))
	case race.Missing():
		status = http.StatusNotFound
		fmt.Fprintf(&b, "%s: not found", what(t))
	default:
		fmt.Fprintf(&b, "%s: no upstream gives it", what(t))
	}
	if toDirect(c.Chain, race.Tried) {
		status = http.StatusNotFound
	}
	for i, tried := range race.Tried {
		if i == maxNamed {
			fmt.Fprintf(&b, "\nand %d more", len(race.Tried)-i)
			break
		}
		fmt.Fprintf(&b, "\n%s: %s", tried.Hop, tried.Class)
		if tried.Detail != "" {
			b.WriteString(": " + tried.Detail)
		}
	}
	return refuse(status, "%s", b.String())
}

// noRoom reports whether a disk, or the user's part of it, is full.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// broken is what the client is told when the relay cannot keep what comes. Other
// machines are not told where its folder is.
func (r *Relay) broken(t target, err error) *refusal {
	where := ""
	if !r.o.Network {
		where = " " + r.o.Dir
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) { // without the names of files
		err = inner
	}
	return refuse(http.StatusInternalServerError, "%s: no upstream is at fault: gpx cannot keep it in its folder%s: %v", what(t), where, err)
}

// isOff reports whether a chain is off and nothing else.
func isOff(c chain.Chain) bool { return len(c.Hops) == 1 && c.Hops[0].Kind == chain.Off }

// what names a target for people.
func what(t target) string {
	switch t.file {
	case probe.List:
		return "the versions of " + t.m.Path
	case probe.Latest:
		return "the latest version of " + t.m.Path
	}
	return "the ." + string(t.file) + " of " + (module.Version{Path: t.m.Path, Version: t.m.Version}).String()
}
