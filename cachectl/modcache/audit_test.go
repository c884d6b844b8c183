package modcache

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/sumdb"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/lab"
)

// noon is a day on which checksums were off.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func hour(n float64) time.Time { return noon.Add(time.Duration(n * float64(time.Hour))) }

// sets is a record of one variable that was set.
func sets(id string, at float64, name, old, new string) change.Record {
	return change.Record{
		ID: id, At: hour(at), DoneAt: hour(at + 0.01), State: change.Applied,
		Actions: []change.Action{{Kind: change.SetVariable, Target: name, Old: old, New: new}},
	}
}

func TestWindows(t *testing.T) {
	undone := func(r change.Record, by string, at float64) change.Record {
		r.State, r.UndoneBy, r.UndoneAt = change.Undone, by, hour(at)
		return r
	}
	state := func(r change.Record, s change.State) change.Record { r.State = s; return r }
	window := func(id string, from, to float64, patterns ...string) Window {
		w := Window{Change: id, From: wire.At(hour(from)), Patterns: append([]string{}, patterns...)}
		if to != 0 {
			w.To = wire.At(hour(to))
		}
		return w
	}
	for _, tt := range []struct {
		name    string
		records []change.Record
		want    []Window
	}{
		{"nothing was changed", nil, nil},
		{"other variables", []change.Record{sets("a", 1, "GOPROXY", "", "off"), sets("b", 2, "GOPRIVATE", "", "corp.example")}, nil},
		{"off, and still so", []change.Record{sets("a", 1, "GOSUMDB", "", "off")}, []Window{window("a", 1, 0)}},
		{"off, and on again", []change.Record{sets("a", 1, "GOSUMDB", "", "off"), sets("b", 2, "GOSUMDB", "off", "")}, []Window{window("a", 1, 2.01)}},
		{"off, and undone", []change.Record{
			undone(sets("a", 1, "GOSUMDB", "", "off"), "b", 2),
			sets("b", 2, "GOSUMDB", "off", ""),
		}, []Window{window("a", 1, 2.01)}},
		{"off, and something else wrote the variable", []change.Record{undone(sets("a", 1, "GOSUMDB", "", "off"), "", 3)}, []Window{window("a", 1, 3)}},
		{"off, and off again", []change.Record{sets("a", 1, "GOSUMDB", "", "off"), sets("b", 2, "GOSUMDB", "off", "off"), sets("c", 3, "GOSUMDB", "off", "")}, []Window{window("a", 1, 3.01)}},
		{"off twice", []change.Record{
			sets("a", 1, "GOSUMDB", "", "off"), sets("b", 2, "GOSUMDB", "off", ""),
			sets("c", 3, "GOSUMDB", "", "off"), sets("d", 4, "GOSUMDB", "off", "sum.example.com"),
		}, []Window{window("a", 1, 2.01), window("c", 3, 4.01)}},
		{"it failed", []change.Record{state(sets("a", 1, "GOSUMDB", "", "off"), change.Aborted)}, nil},
		{"killed in flight", []change.Record{state(sets("a", 1, "GOSUMDB", "", "off"), change.Begun)}, []Window{window("a", 1, 0)}},
		{"off for some modules", []change.Record{sets("a", 1, "GONOSUMDB", "", "corp.example, x.example/y")}, []Window{window("a", 1, 0, "corp.example"), window("a", 1, 0, "x.example/y")}},
		{"one of them is on again", []change.Record{
			sets("a", 1, "GONOSUMDB", "", "corp.example,x.example"), sets("b", 2, "GONOSUMDB", "corp.example,x.example", "corp.example"),
		}, []Window{window("a", 1, 0, "corp.example"), window("a", 1, 2.01, "x.example")}},
		{"none means none", []change.Record{sets("a", 1, "GONOSUMDB", "x.example", "none")}, nil},
		{"one variable ends nothing of the other", []change.Record{sets("a", 1, "GOSUMDB", "", "off"), sets("b", 2, "GONOSUMDB", "x.example", "")}, []Window{window("a", 1, 0)}},
		{"the end of a change that did more", []change.Record{{
			ID: "a", At: hour(1), DoneAt: hour(1), State: change.Undone, UndoneAt: hour(2),
			Actions: []change.Action{
				{Kind: change.SetVariable, Target: "GOSUMDB", New: "off"},
				{Kind: change.SetVariable, Target: "GONOSUMDB", New: "x.example"},
				{Kind: "write_file", Target: "GOSUMDB", New: "off"},
			},
		}}, []Window{window("a", 1, 2), window("a", 1, 2, "x.example")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Windows(tt.records)); diff != "" {
				t.Errorf("windows (-want +got):\n%s", diff)
			}
		})
	}
}

// arrive dates those of a version's files that are there.
func (p *playground) arrive(m module.Version, at time.Time) {
	p.t.Helper()
	path, _ := module.EscapePath(m.Path)
	for _, suffix := range []string{"ziphash", "mod"} {
		err := os.Chtimes(filepath.Join(p.root, "cache", "download", filepath.FromSlash(path), "@v", m.Version+"."+suffix), at, at)
		if !errors.Is(err, os.ErrNotExist) {
			check(p.t, err)
		}
	}
}

// before dates all that is in the cache before the day.
func (p *playground) before() {
	for _, v := range p.versions() {
		p.arrive(v.Version, hour(-100))
	}
}

func (p *playground) audit(o AuditOptions) AuditResult {
	p.t.Helper()
	r, err := p.cache().Audit(p.t.Context(), o)
	check(p.t, err)
	if n, err := p.cache().Pending(p.t.Context(), o); err != nil || o.RecordFile != "" && n != r.Pending {
		p.t.Errorf("%d are pending by themselves, %d by the audit (%v)", n, r.Pending, err)
	}
	return r
}

func (p *playground) cache() *Cache {
	p.t.Helper()
	c, err := Open(p.root)
	check(p.t, err)
	return c
}

func standings(r AuditResult) map[string]Standing {
	got := map[string]Standing{}
	for _, a := range r.Arrivals {
		got[a.Path+"@"+a.Version] = a.Standing
	}
	return got
}

func TestAudit(t *testing.T) {
	whole := newPlayground(t)
	beta := module.Version{Path: "lab.example.com/beta", Version: "v1.0.0"}
	day := []Window{{From: wire.At(hour(0)), To: wire.At(hour(1))}}
	unknown := func(context.Context, module.Version) ([]string, error) {
		return nil, &sumdb.Error{Kind: sumdb.ErrUnavailable}
	}
	skipped := func(context.Context, module.Version) ([]string, error) {
		return nil, &sumdb.Error{Kind: sumdb.ErrSkipped}
	}
	foreign := func(p *playground) {
		files := victimFiles()
		files["victim.go"] = "package victim // not what the author published\n"
		zip, hash := p.other(files)
		p.write(p.file("zip"), zip)
		p.write(p.file("ziphash"), hash)
		p.remove(p.tree(""))
	}
	type standing = map[string]Standing
	for _, tt := range []struct {
		name    string
		do      func(p *playground, o *AuditOptions)
		at      time.Time // when the victim and beta arrived
		want    standing
		pending int
		bad     []Damage
	}{
		{name: "nothing arrived", at: hour(-5), want: standing{}},
		{name: "after the window", at: hour(1.1), want: standing{}},
		{name: "proven by the database", at: hour(0.5), want: standing{victim.String(): Proven, beta.String(): Proven}},
		{name: "at the window's edge", at: hour(1).Add(time.Second), want: standing{victim.String(): Proven, beta.String(): Proven}},
		{name: "the window is open", at: hour(7), want: standing{victim.String(): Proven, beta.String(): Proven},
			do: func(_ *playground, o *AuditOptions) { o.Windows = []Window{{From: wire.At(hour(0))}} }},
		{name: "a window for some modules", at: hour(0.5), want: standing{beta.String(): Proven},
			do: func(_ *playground, o *AuditOptions) {
				o.Windows = []Window{{From: wire.At(hour(0)), To: wire.At(hour(1)), Patterns: []string{"*.example.com/beta"}}}
			}},
		{name: "nobody to ask", at: hour(0.5), want: standing{victim.String(): Unproven, beta.String(): Unproven}, pending: 2,
			do: func(_ *playground, o *AuditOptions) { o.Lookup = nil }},
		{name: "the database cannot be asked, go.sum knows", at: hour(0.5), want: standing{victim.String(): BySum, beta.String(): BySum}, pending: 2,
			do: func(p *playground, o *AuditOptions) { o.Lookup, o.Sums = unknown, p.sums() }},
		{name: "private by intention", at: hour(0.5), want: standing{victim.String(): Exempt, beta.String(): Proven},
			do: func(_ *playground, o *AuditOptions) {
				o.Exempt = func(path string) bool { return path == victim.Path }
			}},
		{name: "skipped for the time being", at: hour(0.5), want: standing{victim.String(): Unproven, beta.String(): Unproven}, pending: 2,
			do: func(_ *playground, o *AuditOptions) {
				o.Lookup = skipped
				o.Exempt = func(string) bool { return false }
			}},
		{name: "skipped, and nobody says by whose intention", at: hour(0.5), want: standing{victim.String(): Exempt, beta.String(): Exempt},
			do: func(_ *playground, o *AuditOptions) { o.Lookup, o.RecordFile = skipped, "" }},
		{name: "not what the author published", at: hour(0.5), want: standing{victim.String(): Contradicted, beta.String(): Proven}, pending: 1, bad: []Damage{SumDBMismatch},
			do: func(p *playground, _ *AuditOptions) { foreign(p) }},
		{name: "not what go.sum has", at: hour(0.5), want: standing{victim.String(): Contradicted, beta.String(): BySum}, pending: 2, bad: []Damage{SumMismatch},
			do: func(p *playground, o *AuditOptions) { foreign(p); o.Lookup, o.Sums = unknown, p.sums() }},
		{name: "another go.mod", at: hour(0.5), want: standing{victim.String(): Contradicted, beta.String(): Proven}, pending: 1, bad: []Damage{ModChanged},
			do: func(p *playground, _ *AuditOptions) { p.write(p.file("mod"), "module lab.example.com/Victim\n") }},
		{name: "damaged", at: hour(0.5), want: standing{victim.String(): Unproven, beta.String(): Proven}, pending: 1, bad: []Damage{ZipTruncated},
			do: func(p *playground, _ *AuditOptions) { p.write(p.file("zip"), "") }},
		{name: "only .mod is left", at: hour(0.5), want: standing{victim.String(): Proven, beta.String(): Proven},
			do: func(p *playground, _ *AuditOptions) { p.prune() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := whole.play(t)
			o := AuditOptions{Windows: day, Lookup: p.lookup(), RecordFile: filepath.Join(p.dir, "audited")}
			if tt.do != nil {
				tt.do(p, &o)
			}
			p.before()
			p.arrive(victim, tt.at)
			p.arrive(beta, tt.at)
			r := p.audit(o)
			if diff := cmp.Diff(tt.want, standings(r)); diff != "" {
				t.Errorf("standings (-want +got):\n%s", diff)
			}
			if got := whats(r.Bad); r.Pending != tt.pending || !slices.Equal(got, tt.bad) || r.Checked != r.OK+r.Pending {
				t.Errorf("%d of %d pending, %d ok, bad %v; want %d and %v", r.Pending, r.Checked, r.OK, got, tt.pending, tt.bad)
			}
			// A second audit knows what the first one proved, without asking.
			o.Lookup = func(_ context.Context, m module.Version) ([]string, error) {
				if tt.want[m.String()] == Proven {
					t.Errorf("%s was proven already, and is looked up again", m)
				}
				return nil, errors.New("nobody is there")
			}
			if again := p.audit(o); o.RecordFile != "" && tt.pending == 0 && again.Pending != 0 {
				t.Errorf("after the audit %d are pending", again.Pending)
			}
		})
	}
}

// The same version with another hash is news.
func TestAuditForgetsWhatChanged(t *testing.T) {
	t.Parallel()
	p := newPlayground(t)
	p.before()
	p.arrive(victim, hour(0.5))
	o := AuditOptions{Windows: []Window{{From: wire.At(hour(0)), To: wire.At(hour(1))}}, Lookup: p.lookup(), RecordFile: filepath.Join(p.dir, "audited")}
	if r := p.audit(o); r.Pending != 0 || r.OK != 1 {
		t.Fatalf("%+v", r)
	}
	p.write(p.file("ziphash"), otherHash)
	p.arrive(victim, hour(0.7))
	if n, err := p.cache().Pending(t.Context(), o); err != nil || n != 1 {
		t.Errorf("%d are pending, %v", n, err)
	}
}

// What really happens: checksums are switched off, the go command takes in what
// a proxy made up, and the audit finds it when the database can be asked.
func TestAuditOfARealDay(t *testing.T) {
	t.Parallel()
	p := newPlayground(t)
	p.before()
	liar := p.lab.Proxy("liar", lab.Always(lab.Of(lab.ModeWrongZip)))
	off := change.Record{ID: "off", At: time.Now(), DoneAt: time.Now(), State: change.Applied,
		Actions: []change.Action{{Kind: change.SetVariable, Target: "GOSUMDB", New: "off"}}}
	p.prune()
	p.remove(filepath.Join(p.project, "go.sum"))
	if out, err := p.run(t.Context(), []string{"GOPROXY=" + liar.URL(), "GOSUMDB=off"}, "go", "mod", "download", victim.String()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	on := change.Record{ID: "on", At: time.Now(), DoneAt: time.Now(), State: change.Applied,
		Actions: []change.Action{{Kind: change.SetVariable, Target: "GOSUMDB", Old: "off"}}}

	db, err := chain.ParseSumDB(p.lab.VerifierKey())
	check(t, err)
	through, err := chain.Parse(p.lab.Proxy("honest", nil).URL())
	check(t, err)
	remote := probe.New(probe.DefaultConfig(), &env.Env{Environ: p.environ}).NewSumDBRemote(through, db)
	defer remote.Close()
	client := sumdb.New(sumdb.Options{DB: db, Fresh: true, Remote: remote.Get})
	r := p.audit(AuditOptions{Windows: Windows([]change.Record{off, on}), Lookup: client.Lookup, RecordFile: filepath.Join(p.dir, "audited")})
	if got := standings(r)[victim.String()]; got != Contradicted || !slices.Contains(whats(r.Bad), SumDBMismatch) {
		t.Errorf("%s, bad %v", got, lines(r.Bad))
	}
	data, err := json.Marshal(r)
	check(t, err)
	for _, field := range []string{`"checked":`, `"ok":`, `"bad":[{"path":"lab.example.com/Victim"`, `"pending":1`, `"arrivals":[`, `"windows":[{"change":"off"`} {
		if !strings.Contains(string(data), field) {
			t.Errorf("no %s in %s", field, data)
		}
	}
}

// Without windows nothing is looked at, not even whether there is a cache.
func TestPendingCostsNothing(t *testing.T) {
	c := &Cache{dir: filepath.Join(t.TempDir(), "none")}
	if n, err := c.Pending(t.Context(), AuditOptions{}); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := c.Pending(t.Context(), AuditOptions{Windows: []Window{{}}}); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
