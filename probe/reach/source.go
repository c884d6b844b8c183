package reach

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe"
)

// A source is one endpoint that may be asked.
type source struct {
	ep  probe.Endpoint
	hop string // as it is shown
	audience
}

// An audience says what a source may be told.
type audience int

const (
	local   audience = iota // files: nobody learns anything
	private                 // a hop that is no public proxy
	first                   // a public hop that a build shows every path to
	later                   // a public hop behind a private one, or a host beyond the chain
	itself                  // version control: the module's own host
)

// vcs reports whether it is version control, which is asked last: each question
// is a process and seconds.
func (s *source) vcs() bool { return s.audience == itself }

// sources lists who may be asked, in the order in which they are. A chain with no
// hop on the network ("off", or file trees alone) says that the user wants nobody
// asked, so then nobody is.
func (r *Reacher) sources() []*source {
	var all []*source
	seen := map[string]bool{}
	add := func(ep probe.Endpoint, a audience) {
		if ep.Kind == probe.KindFile && r.inCache(ep.URL) || seen[ep.URL] {
			return
		}
		seen[ep.URL] = true
		all = append(all, &source{ep: ep, hop: redact.URL(ep.URL), audience: a})
	}
	behindPrivate, direct, network := false, false, false
	for _, h := range r.o.Chain.Hops {
		ep := probe.Endpoint{URL: h.URL, Kind: probe.Kind(h.Kind)}
		switch h.Kind {
		case chain.File:
			add(ep, local)
			// The go command asks the tree first, and what it lacks goes on to the
			// next hop as it would from a private one.
			behindPrivate = behindPrivate || !r.inCache(h.URL)
		case chain.Direct:
			direct, network = true, true
		case chain.Proxy:
			network = true
			switch public := r.o.Public == nil || r.o.Public(h.URL); {
			case !public:
				behindPrivate = true
				add(ep, private)
			case behindPrivate:
				add(ep, later)
			default:
				add(ep, first)
			}
		}
	}
	for _, ep := range r.o.Extra {
		switch {
		case ep.Kind == probe.KindFile:
			add(ep, local)
		case ep.Kind == probe.KindProxy && r.o.Consent && network:
			add(ep, later)
		}
	}
	// What matches GONOPROXY goes to version control whatever the chain says, even
	// under "off". But who has no hop on the network wants nobody asked.
	if direct || network && r.o.NoProxy != "" && r.o.NoProxy != "none" {
		add(probe.Endpoint{URL: string(chain.Direct), Kind: probe.KindDirect}, itself)
	}
	return all
}

// Sources are the endpoints that may be asked for a version that the user wants
// now, in the order in which they are. A build would show its path to the first
// public hop, so that one may know it although Where, which nobody has asked for,
// keeps some from it.
func (r *Reacher) Sources(m module.Version) []probe.Endpoint {
	var out []probe.Endpoint
	for _, s := range r.sources() {
		shown := s.audience == first && !module.MatchPrefixPatterns(r.o.NoProxy, m.Path) && !module.MatchPrefixPatterns(r.o.Private, m.Path)
		if shown || r.mayAsk(s, m) {
			out = append(out, s.ep)
		}
	}
	return out
}

// inCache reports whether a file URL lies in the module cache.
func (r *Reacher) inCache(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || r.o.Cache == "" {
		return false
	}
	return within(resolve(filepath.FromSlash(u.Path)), resolve(r.o.Cache))
}

func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// mayAsk reports whether s may be shown the path of m.
func (r *Reacher) mayAsk(s *source, m module.Version) bool {
	hidden := module.MatchPrefixPatterns(r.o.NoProxy, m.Path)
	switch s.audience {
	case local:
		return true
	case itself:
		return hidden || r.hasDirect()
	case private:
		return !hidden
	default:
		return !hidden && r.tellable(m, s.audience == first)
	}
}

func (r *Reacher) hasDirect() bool {
	hops := r.o.Chain.Hops
	return len(hops) > 0 && hops[len(hops)-1].Kind == chain.Direct
}

// isFile reports whether a path can be looked at without following anything odd.
func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}
