package doctor

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
	"unicode"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/probe/catalog"
)

func clean(s string) string { return redact.Text(s) }

func commandSteps(f Facts) []Step {
	e := f.Env
	var steps []Step
	if e.Go == "" {
		steps = append(steps, Step{"go command", Fail, "there is none on PATH", "install Go, or add its bin folder to PATH"})
	} else {
		steps = append(steps, Step{"go command", OK, redact.Clean(e.GoVersion + " at " + e.Go), ""})
	}
	steps = append(steps, refusedSteps(e)...)
	for _, p := range e.Problems {
		if e.Go == "" && strings.Contains(p, "PATH") {
			continue // said above
		}
		hint := "look at: gpx env"
		if e.UserFileOff && strings.HasPrefix(p, "GOENV=off") {
			hint = "unset GOENV"
		}
		steps = append(steps, Step{"go settings", Warn, clean(p), hint})
	}
	return steps
}

// refusedSteps tell the settings that the go command refuses, each once.
func refusedSteps(e *env.Env) []Step {
	var steps []Step
	told := map[string]bool{}
	for _, r := range []struct {
		err  error
		then string
	}{{e.Refusal(), "no go command can download"}, {e.CacheRefusal(), "no go command can download"}, {e.KeepRefusal(), "no go command can download"}, {e.BuildRefusal(), "modules can be downloaded, and nothing builds"}} {
		refused := (*env.SettingError)(nil)
		if !errors.As(r.err, &refused) || told[refused.Name] || refused.Name == "GOMODCACHE" && told["GOPATH"] { // which it comes from
			continue
		}
		told[refused.Name] = true
		steps = append(steps, Step{"go settings", Fail, clean(refused.Text) + ": " + r.then, "correct " + refused.Name + "; see what sets it: gpx env " + refused.Name})
	}
	return steps
}

func proxySettingSteps(f Facts) []Step {
	const name = "GOPROXY"
	v, _ := f.Env.Lookup(name)
	c, err := f.Env.Chain()
	if err != nil {
		return []Step{{name, Fail, clean(err.Error()) + " (from " + v.Origin.Words() + ")", "gpx use default, or: gpx use CHAIN"}}
	}
	steps := []Step{{name, OK, c.Redacted() + " (from " + v.Origin.Words() + ")", ""}}
	seen := map[string]bool{}
	for i, h := range c.Hops {
		hop := fmt.Sprintf("hop %d %s", i+1, h.Redacted())
		if entry, ok := catalog.Find(f.Env, h.URL); ok && h.Kind == chain.Proxy && entry.Retired {
			steps = append(steps, Step{name, Fail, hop + ": " + entry.Note, "gpx use --best"})
		} else if ok && h.Kind == chain.Proxy && entry.Kind == catalog.Database {
			steps = append(steps, Step{name, Fail, hop + " is a checksum database, not a proxy", "gpx sumdb " + entry.Name + ", and take it out of GOPROXY"})
		}
		if seen[h.URL] {
			steps = append(steps, Step{name, Warn, hop + " stands in the chain twice: the second one is asked what the first has just answered", "gpx use CHAIN without it"})
		}
		seen[h.URL] = true
		if u, err := url.Parse(h.URL); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
			steps = append(steps, Step{name, Warn, hop + " is plain http: everybody on the way can read and change what it sends; only go.sum and the checksum database notice", "use https"})
		}
	}
	if c.Ignored != "" {
		steps = append(steps, Step{name, Warn, "the go command never reads what follows " + c.Hops[len(c.Hops)-1].URL + ": " + redact.Text(c.Ignored), ""})
	}
	return steps
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// decisive are the variables that decide how modules are downloaded.
var decisive = []string{"GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOFLAGS", "GOTOOLCHAIN", "GOAUTH"}

// shadowSteps find what go env -w wrote in vain.
func shadowSteps(f Facts) []Step {
	var steps []Step
	for _, name := range decisive {
		v, ok := f.Env.Lookup(name)
		if !ok || v.Origin != env.OS {
			continue
		}
		for _, s := range v.Shadowed {
			if s.Origin == env.User && s.Value != v.Value {
				steps = append(steps, Step{name, Warn, "the environment of this shell hides what go env -w wrote: " + redact.Value(name, s.Value), "unset " + name})
			}
		}
	}
	return steps
}

// patternSteps look at the lists of private modules, and at GOVCS. A malformed pattern
// matches nothing, and the go command does not say so
// (x/mod/module.MatchPrefixPatterns).
func patternSteps(f Facts) []Step {
	var steps []Step
	for _, name := range []string{"GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE"} {
		v, ok := f.Env.Lookup(name)
		if !ok || v.Value == "" || v.Origin == env.Derived {
			continue
		}
		for glob := range strings.SplitSeq(v.Value, ",") {
			if _, err := path.Match(glob, ""); err != nil {
				steps = append(steps, Step{name, Warn, "the pattern " + redact.Clean(glob) + " is malformed and matches nothing: its modules are not private", "correct it: go help private"})
			}
			if strings.Contains(glob, "://") || strings.ContainsFunc(glob, unicode.IsSpace) {
				steps = append(steps, Step{name, Warn, fmt.Sprintf("the pattern %q is no module path prefix: no scheme, and no blanks, belong there", redact.Text(glob)), "correct it: go help private"})
			}
		}
	}
	if err := f.Env.GOVCSError(); err != nil {
		steps = append(steps, Step{"GOVCS", Warn, clean(err.Error()) + ": nothing comes from version control", "correct it: go help vcs"})
	}
	if v, _ := f.Env.Lookup("GOINSECURE"); v.Value != "" {
		steps = append(steps, Step{"GOINSECURE", Warn, "it has no effect on proxies and on the checksum database, only on version control", ""})
	}
	return steps
}

func sumSettingSteps(f Facts) []Step {
	const name = "GOSUMDB"
	switch db, err := f.Env.SumDB(); {
	case err != nil:
		return []Step{{name, Fail, clean(err.Error()), "gpx sumdb on"}}
	case db.Off:
		return []Step{{name, Warn, "off: what a proxy sends for the first time is believed", "gpx sumdb on"}}
	default:
		return []Step{{name, OK, redact.Value(name, db.Value), ""}}
	}
}
