package profiles

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/advice"
	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/envctl/sumdb"
)

// OfflineOptions choose the kind of offline work.
type OfflineOptions struct {
	Strict bool // GOPROXY=off: nothing is even asked for
	Vendor bool // build from the vendor directory
}

// offlineTitle begins the title of every offline plan.
const offlineTitle = "offline"

// title is how the journal names the plan; [Status] finds it by that.
func (o OfflineOptions) title() string {
	if o == (OfflineOptions{}) {
		return offlineTitle
	}
	return offlineTitle + " " + o.Mode()
}

// Mode is "normal", "strict", "vendor" or "strict+vendor".
func (o OfflineOptions) Mode() string {
	switch {
	case o.Strict && o.Vendor:
		return "strict+vendor"
	case o.Strict:
		return "strict"
	case o.Vendor:
		return "vendor"
	}
	return "normal"
}

// Offline plans to work without a network, from what is cached. Its warnings
// name what could not be verified. p may be nil.
func Offline(ctx context.Context, e *env.Env, p *project.Project, o OfflineOptions) (*change.Plan, error) {
	plan, err := planOffline(ctx, e, p, o)
	if err != nil {
		return nil, fmt.Errorf("offline: %w", err)
	}
	return plan, nil
}

func planOffline(ctx context.Context, e *env.Env, p *project.Project, o OfflineOptions) (*change.Plan, error) {
	cache := e.Get("GOMODCACHE")
	if !filepath.IsAbs(cache) {
		return nil, advice.Add(errors.New("GOMODCACHE is not known, so there is nothing to work from"), "set GOMODCACHE or HOME")
	}
	if o.Vendor && p != nil && !p.Vendored {
		return nil, advice.Add(errors.New("the project has no vendor/modules.txt"), "make it while there is a network: go mod vendor")
	}
	db, err := e.SumDB()
	if err != nil {
		return nil, advice.Add(err, "mend it first: gpx sumdb on")
	}
	unverifiable, err := Unverifiable(ctx, e, p)
	if err != nil {
		return nil, err
	}
	plan, err := change.PlanEnv(e, o.title(), offlineAssignments(e, p, db, o))
	if err != nil {
		return nil, err
	}
	if !o.Strict && !db.Off {
		if err := planMarker(plan, cache, db); err != nil {
			return nil, err
		}
	}
	warnOffline(plan, e, p, db, o, unverifiable)
	return plan, nil
}

// offlineAssignments lists what has to change in the environment, and leaves
// out what is so already.
func offlineAssignments(e *env.Env, p *project.Project, db chain.SumDB, o OfflineOptions) []change.Assignment {
	want := []change.Assignment{
		{Name: "GOPROXY", Value: fileURL(downloadDir(e))},
		// Without it modules that match GOPRIVATE go to version control, even
		// under GOPROXY=off.
		{Name: "GONOPROXY", Value: "none"},
	}
	if o.Strict {
		want[0].Value = "off"
	}
	if bare := bareSumDB(db); bare != "" && bare != e.Get("GOSUMDB") {
		want = append(want, change.Assignment{Name: "GOSUMDB", Value: bare})
	}
	if _, missing := missingToolchain(e, p); missing {
		want = append(want, change.Assignment{Name: "GOTOOLCHAIN", Value: "local"})
	}
	if o.Vendor {
		if flags := withVendor(e.Get("GOFLAGS")); flags != e.Get("GOFLAGS") {
			want = append(want, change.Assignment{Name: "GOFLAGS", Value: flags})
		}
	}
	return want
}

// downloadDir is the part of the module cache that is a GOPROXY file tree.
func downloadDir(e *env.Env) string { return filepath.Join(e.Get("GOMODCACHE"), "cache", "download") }

// fileURL is the URL of a GOPROXY file tree. A comma is escaped as well, since
// it would end the entry of the chain.
func fileURL(dir string) string {
	path := filepath.ToSlash(dir)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/… on Windows
	}
	u := url.URL{Scheme: "file", Path: path}
	return strings.ReplaceAll(u.String(), ",", "%2C")
}

// bareSumDB is db without a URL: with one, or as an alias, it would be dialled
// whatever the chain says. "" when it is off.
func bareSumDB(db chain.SumDB) string {
	switch {
	case db.Off:
		return ""
	case db.Name == publicDB && knownKey(db.Key):
		return publicDB
	default:
		return db.Key
	}
}

// knownKey reports whether key is what the go command knows the public
// database by.
func knownKey(key string) bool {
	db, err := chain.ParseSumDB(publicDB)
	return err == nil && db.Key == key
}

// planMarker adds the empty file that makes the tree serve the checksum
// database itself (design 25530; cmd/go/internal/modfetch, initBase).
func planMarker(plan *change.Plan, cache string, db chain.SumDB) error {
	marker, err := sumdb.File(filepath.Join(cache, "cache", "download", "sumdb"), db.Name+"/supported")
	if err != nil {
		return err
	}
	if _, err := os.Stat(marker); err == nil {
		return nil // whatever it holds
	}
	return plan.PlanFile(marker, nil)
}

// withVendor gives GOFLAGS -mod=vendor in place of any other -mod. The other
// flags stay as they are, quotes and all.
func withVendor(goflags string) string {
	var kept []string
	for _, f := range env.SplitFlags(goflags) {
		name := strings.TrimLeft(strings.Trim(f, `'"`), "-")
		if name == "mod" || strings.HasPrefix(name, "mod=") {
			continue
		}
		kept = append(kept, f)
	}
	return strings.Join(append(kept, "-mod=vendor"), " ")
}

// warnOffline says what offline work will not do.
func warnOffline(plan *change.Plan, e *env.Env, p *project.Project, db chain.SumDB, o OfflineOptions, unverifiable []module.Version) {
	if _, err := os.Stat(downloadDir(e)); err != nil {
		plan.Warn("the module cache is empty: nothing can be built but what needs no module")
	} else if absent := uncached(e, p); len(absent) > 0 {
		plan.Warn(fmt.Sprintf("%d of %d modules are not in the module cache, so what imports them cannot be built: ", len(absent), len(p.Requires)) + names(absent))
	}
	if db.Off {
		plan.Warn("GOSUMDB=off: what is taken from the cache and has no go.sum line is not verified")
	}
	if name, missing := missingToolchain(e, p); missing {
		plan.Warn("toolchain " + redact.Clean(name) + " is wanted and not on this machine: GOTOOLCHAIN=local uses " + e.GoVersion +
			", which builds only what does not ask for a newer Go")
	}
	if len(unverifiable) == 0 {
		return
	}
	text := "cannot be verified offline, so the go command will refuse: "
	if o.Strict {
		text = "have no go.sum line and no cached checksum, so the go command would still dial the database for: "
	}
	if o.Vendor {
		text = "cannot be verified offline (a build from vendor does not need it): "
	}
	plan.Warn(fmt.Sprintf("%d of %d modules ", len(unverifiable), len(p.Requires)) + text + names(unverifiable))
}

// uncached lists the required modules of which the cache has neither the zip
// nor the extracted directory; a build needs one of them for each module from
// which it takes a package. A project with a vendor directory needs none.
func uncached(e *env.Env, p *project.Project) (absent []module.Version) {
	if p == nil || p.Vendored {
		return nil
	}
	there := func(elem ...string) bool {
		_, err := os.Stat(filepath.Join(elem...))
		return err == nil
	}
	for _, r := range p.Requires {
		m, local := fetched(p, r.Version)
		path, err := module.EscapePath(m.Path)
		version, verr := module.EscapeVersion(m.Version)
		if local || err != nil || verr != nil || slices.Contains(absent, m) {
			continue
		}
		if path = filepath.FromSlash(path); !there(downloadDir(e), path, "@v", version+".zip") && !there(e.Get("GOMODCACHE"), path+"@"+version) {
			absent = append(absent, m)
		}
	}
	return absent
}

// names lists modules, at most ten of them.
func names(ms []module.Version) string {
	const most = 10
	var texts []string
	for i, m := range ms {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(ms)-most))
			break
		}
		texts = append(texts, redact.Clean(m.Path+"@"+m.Version))
	}
	return strings.Join(texts, ", ")
}
