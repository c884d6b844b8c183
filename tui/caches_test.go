package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/buildcache"
	"gpx/cachectl/modcache"
	"gpx/cachectl/needs"
	"gpx/envctl/change"
	"gpx/probe"
	"gpx/probe/reach"
	"gpx/tui/view"
)

const (
	kib = int64(1) << 10
	mib = int64(1) << 20
	gib = int64(1) << 30
	day = 24 * time.Hour
)

// version is one whole module version of a fixture.
func version(path, v string, bytes int64, age time.Duration) modcache.Version {
	return modcache.Version{Version: module.Version{Path: path, Version: v}, Info: true, Mod: true, Zip: true, ZipHash: true, Dir: true,
		ZipBytes: bytes / 8, MetaBytes: kib, DirBytes: bytes - bytes/8 - kib, Files: 1234, FetchedAt: now.Add(-age), State: modcache.Whole, Exact: true}
}

// modOnly is a version of which only the go.mod is there.
func modOnly(path, v string, age time.Duration) modcache.Version {
	return modcache.Version{Version: module.Version{Path: path, Version: v}, Info: true, Mod: true, MetaBytes: kib, FetchedAt: now.Add(-age), State: modcache.ModOnly, Exact: true}
}

// inventory is the module cache of the fixtures: what is large and old, what is
// needed, the only copy of something private, and what was cut short.
func inventory() *modcache.Inventory {
	cut := modcache.Version{Version: module.Version{Path: "github.com/cut/short", Version: "v0.1.0"}, Mod: true, Info: true, MetaBytes: kib, LeftBytes: 3 * mib,
		FetchedAt: now.Add(-3 * time.Hour), State: modcache.Partial, Exact: true}
	tree := version("rsc.io/quote", "v1.5.2", 40*kib, 200*day)
	tree.Zip, tree.ZipHash, tree.ZipBytes, tree.State = false, false, 0, modcache.TreeOnly
	inv := &modcache.Inventory{Dir: "/home/me/go/pkg/mod", Exact: true, At: now, Versions: []modcache.Version{
		version("corp.example/billing", "v1.0.0", 90*mib, day), version("corp.example/billing", "v1.1.0", 110*mib, 5*time.Hour),
		version("github.com/aws/aws-sdk-go", "v1.44.0", 600*mib, 300*day), version("github.com/aws/aws-sdk-go", "v1.50.0", 640*mib, 120*day), version("github.com/aws/aws-sdk-go", "v1.55.5", 660*mib, 41*day),
		cut,
		version("github.com/hashicorp/terraform", "v1.5.0", 210*mib, 12*day), version("github.com/hashicorp/terraform", "v1.6.0", 190*mib, 12*day),
		modOnly("golang.org/x/net", "v0.1.0", 90*day), modOnly("golang.org/x/net", "v0.2.0", 80*day), version("golang.org/x/net", "v0.47.0", 9*mib, 2*time.Hour),
		version("k8s.io/kubernetes", "v1.30.0", 360*mib, 2*time.Hour), version("k8s.io/kubernetes", "v1.31.0", 380*mib, 2*time.Hour),
		tree,
	}, Parts: []modcache.Part{{Name: "checksum database", Bytes: 13 * mib, Files: 900}}}
	for i := range inv.Versions {
		inv.Bytes += inv.Versions[i].Bytes()
		inv.Files += inv.Versions[i].Files
	}
	inv.Bytes += 13 * mib
	return inv
}

// first is what is known before trees were counted.
func first() *modcache.Inventory {
	inv := inventory()
	inv.Exact = false
	for i := range inv.Versions {
		inv.Versions[i].Exact = !inv.Versions[i].Dir
	}
	return inv
}

func buildInventory(kinds bool) *buildcache.Inventory {
	inv := &buildcache.Inventory{Dir: "/home/me/.cache/go-build", Bytes: 6200 * mib, Files: 61234, Entries: 40321, At: now,
		ByAge: []buildcache.Age{{OlderThan: time.Hour, Bytes: 5900 * mib}, {OlderThan: day, Bytes: 4100 * mib}, {OlderThan: 2 * day, Bytes: 3300 * mib},
			{OlderThan: 5 * day, Bytes: 2100 * mib}, {OlderThan: 30 * day, Bytes: 0}},
		ByKind:   map[buildcache.Kind]int64{buildcache.Unread: 6200 * mib},
		LastTrim: now.Add(-21 * time.Hour), NextTrim: now.Add(3 * time.Hour), TrimTake: 2100 * mib}
	if kinds {
		inv.ByKind = map[buildcache.Kind]int64{buildcache.Archive: 4 * gib, buildcache.Executable: 1200 * mib, buildcache.TestResult: 300 * mib,
			buildcache.Action: 6 * mib, buildcache.Fuzz: 12 * mib, buildcache.Other: 586 * mib}
	}
	return inv
}

// caches are the services about the caches that record what is asked of them.
type caches struct {
	inv     *modcache.Inventory
	partial *modcache.Inventory // what a scan tells before it ends
	hold    chan struct{}       // a scan waits for it; nil: it does not
	scans   int
	bad     []modcache.Bad
	kept    []modcache.Kept
	gone    map[module.Version]bool // pruned
	asked   []module.Version
	down    bool // no hop answers
}

func newCaches() *caches { return &caches{inv: inventory(), gone: map[module.Version]bool{}} }

func (f *fake) caches() view.Caches {
	c := f.cache
	return view.Caches{
		Scan: func(ctx context.Context, report func(modcache.Progress)) (*modcache.Inventory, error) {
			f.mu.Lock()
			c.scans++
			inv, partial, hold := c.inv, c.partial, c.hold
			if len(c.gone) > 0 {
				copied := *inv
				copied.Versions = slices.DeleteFunc(slices.Clone(inv.Versions), func(v modcache.Version) bool { return c.gone[v.Version] })
				inv = &copied
			}
			f.mu.Unlock()
			if partial != nil {
				phase := modcache.Counting
				if len(partial.Versions) < len(inv.Versions) {
					phase = modcache.Listing
				}
				report(modcache.Progress{Phase: phase, Done: 61, Total: 100, Inventory: partial})
			}
			if hold != nil {
				select {
				case <-hold:
				case <-ctx.Done():
					return partial, ctx.Err()
				}
			}
			return inv, nil
		},
		ScanBuild: func(_ context.Context, kinds bool, _ func(buildcache.Progress)) (buildcache.Location, *buildcache.Inventory, error) {
			return buildcache.Location{Dir: "/home/me/.cache/go-build"}, buildInventory(kinds), nil
		},
		Needs: func(context.Context) (view.Household, error) {
			n := needs.Needs{}
			n.Add(module.Version{Path: "k8s.io/kubernetes", Version: "v1.31.0"}, "/home/me/src/app")
			n.Add(module.Version{Path: "k8s.io/kubernetes", Version: "v1.31.0"}, "/home/me/src/lib")
			n.Add(module.Version{Path: "corp.example/billing", Version: "v1.1.0"}, "/home/me/src/app")
			n.Add(module.Version{Path: "golang.org/x/net", Version: "v0.47.0"}, "a running go command")
			return view.Household{Needs: n, Running: []string{"a running go command"}}, nil
		},
		Where: func(_ context.Context, ms []module.Version, report func(reach.Answer)) error {
			f.mu.Lock()
			c.asked = append(c.asked, ms...)
			down := c.down
			f.mu.Unlock()
			for _, m := range ms {
				a := reach.Answer{Version: m, Asked: true, Sources: []reach.Source{{Hop: "https://proxy.example.com", Class: probe.NotFound}, {Hop: "https://mirror.example.org", Class: probe.OK}}}
				switch {
				case down:
					a.Sources = []reach.Source{{Hop: "https://proxy.example.com", Class: probe.TLSTimeout}, {Hop: "https://mirror.example.org", Class: probe.Refused}}
				case strings.HasPrefix(m.Path, "corp.example/"):
					a.Sources = []reach.Source{{Hop: "direct", Class: probe.DNSNotFound}}
				case strings.HasPrefix(m.Path, "github.com/aws/"):
					a.Sources = []reach.Source{{Hop: "https://proxy.example.com", Class: probe.OK}}
				case m.Path == "rsc.io/quote":
					a = reach.Answer{Version: m, Why: "the time or the questions for asking were used up"}
				}
				report(a)
			}
			return nil
		},
		PlanPrune: func(_ context.Context, inv *modcache.Inventory, o modcache.PruneOptions, report func(view.Step)) (*change.Plan, []modcache.Kept, error) {
			f.note("plan prune %v %v all=%v older=%v latest=%d trash=%v partial=%v files=%v", o.Modules, o.Versions, o.Unreferenced, o.OlderThan, o.KeepLatest, o.Trash, o.Partial, o.AllFiles)
			report(view.Step{Text: "asking who else has them", Done: 1, Total: 2})
			p := &change.Plan{ID: "p-prune", Title: "prune"}
			for i := range inv.Versions {
				v := &inv.Versions[i]
				if !slices.Contains(o.Modules, v.Path) && !slices.Contains(o.Versions, v.Version) && !o.Unreferenced || v.Path == "corp.example/billing" && len(o.Versions) == 0 {
					continue
				}
				p.Title = "prune " + v.Path
				p.Actions = append(p.Actions, change.Action{Kind: "trash_version", Target: v.Version.String(), Bytes: v.Bytes(), Undoable: o.Trash})
			}
			if o.Trash && len(p.Actions) > 0 {
				p.Warnings = []string{"1.9 GiB move to the trash on the same disk: the space is free after 24 h, and until then undo brings everything back"}
			}
			return p, c.kept, nil
		},
		PlanPruneBuild: func(_ context.Context, o buildcache.PruneOptions) (*change.Plan, error) {
			f.note("plan prune build older=%v size=%d tests=%v all=%v", o.OlderThan, o.MaxSize, o.Tests, o.All)
			return &change.Plan{Title: "prune the build cache", Actions: []change.Action{{Kind: "remove_build_entries", Target: "2,100 entries", Bytes: 2100 * mib}}, FreedBytes: 2100 * mib}, nil
		},
		Verify: func(ctx context.Context, v view.Verify, report func(modcache.VerifyProgress), bad func(modcache.Bad)) (modcache.VerifyResult, error) {
			f.note("verify %d all=%v online=%v", len(v.Versions), v.All, v.Online)
			report(modcache.VerifyProgress{Done: 1, Total: len(v.Versions), Bytes: 1, TotalBytes: 3})
			for _, b := range c.bad {
				bad(b)
			}
			if c.hold != nil {
				<-ctx.Done()
				return modcache.VerifyResult{Bad: c.bad}, ctx.Err()
			}
			return modcache.VerifyResult{Checked: len(v.Versions), OK: len(v.Versions) - len(c.bad), Bad: c.bad, Bytes: 400 * mib, BySumDB: 3}, nil
		},
		Export: func(_ context.Context, e view.Export, report func(view.Step)) (view.Outcome, error) {
			f.note("export %s versions=%d project=%v all=%v build=%v", e.Path, len(e.Versions), e.Project, e.All, e.Build)
			report(view.Step{Text: "writing", Done: 1, Total: 2})
			if e.Path == "/full" {
				return view.Outcome{}, errors.New("export /full: no space left on the device; free some")
			}
			return view.Outcome{Text: "3 module versions, 1.2 GiB: " + e.Path, Notes: []string{"left out: rsc.io/quote@v1.5.2: it has no zip"}}, nil
		},
		PlanImport: func(_ context.Context, path string, report func(view.Step)) (view.Proposal, error) {
			f.note("plan import %s", path)
			if strings.HasPrefix(path, "empty") {
				return view.Proposal{Plan: &change.Plan{}, Why: []string{"0 module versions are new; 3 are there already"}}, nil
			}
			return view.Proposal{Plan: &change.Plan{Title: "import " + path, Actions: []change.Action{{Kind: "import_bundle", Target: path, Bytes: gib, Undoable: true}}},
				Why: []string{"3 module versions are new, 1.2 GiB; 0 are there already"}}, nil
		},
	}
}

// apply does to the fixture what a plan about it says.
func (c *caches) apply(ctx context.Context, p *change.Plan) {
	for i, a := range p.Actions {
		change.Report(ctx, change.Progress{What: "moving to the trash", Done: int64(i), Total: int64(len(p.Actions))})
		switch path, v, _ := strings.Cut(a.Target, "@"); a.Kind {
		case "trash_version":
			c.gone[module.Version{Path: path, Version: v}] = true
		case "restore_version":
			clear(c.gone)
		}
	}
}

// damage is a zip that was changed after it was downloaded.
func damage(path, v string) modcache.Bad {
	return modcache.Bad{Path: path, Version: v, What: modcache.ZipChanged, Want: "h1:" + strings.Repeat("A", 43) + "=", Got: "h1:" + strings.Repeat("B", 43) + "=",
		Mend: fmt.Sprintf("gpx cache prune --trash %s@%s", path, v), Effect: "the next build downloads it anew"}
}
