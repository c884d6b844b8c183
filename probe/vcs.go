package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/wire"
)

// maxHosts bounds how many version-control hosts one probe of "direct" asks.
const maxHosts = 8

// A repository is where the source of a module is kept.
type repository struct {
	vcs, url string
	root     string // the module path's part that the repository stands for
}

// knownHosts are the paths whose repository needs no discovery
// (cmd/go/internal/vcs.vcsPaths). The last one is any path with a suffix that
// names the tool.
var knownHosts = []struct {
	pattern func() *regexp.Regexp // compiled when it is first asked for
	vcs     string
}{
	{lazily(`^(?P<root>(?:github\.com|bitbucket\.org)/[\w.\-]+/[\w.\-]+)(?:/[\w.\-]+)*$`), "git"},
	{lazily(`^(?P<root>hub\.jazz\.net/git/[a-z0-9]+/[\w.\-]+)(?:/[\w.\-]+)*$`), "git"},
	{lazily(`^(?P<root>git\.apache\.org/[a-z0-9_.\-]+\.git)(?:/[\w.\-]+)*$`), "git"},
	{lazily(`^(?P<root>git\.openstack\.org/[\w.\-]+/[\w.\-]+)(?:\.git)?(?:/[\w.\-]+)*$`), "git"},
	{lazily(`^(?P<root>chiselapp\.com/user/[A-Za-z0-9]+/repository/[\w.\-]+)$`), "fossil"},
	{lazily(`^(?P<root>(?:[a-z0-9.\-]+\.)+[a-z0-9.\-]+(?::[0-9]+)?(?:/~?[\w.\-]+)+?\.(?P<vcs>bzr|fossil|git|hg|svn))(?:/~?[\w.\-]+)*$`), ""},
}

func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// knownRepository finds the repository of a module path without asking anybody.
func knownRepository(path string) (repository, bool) {
	for _, h := range knownHosts {
		m := h.pattern().FindStringSubmatch(path)
		if m == nil {
			continue
		}
		r := repository{vcs: h.vcs, root: m[1]}
		if r.vcs == "" {
			r.vcs = m[2]
		}
		r.url = "https://" + r.root
		return r, true
	}
	return repository{}, false
}

// discover asks the host of a path for its go-import tag, as
// cmd/go/internal/vcs.repoRootForImportDynamic does, and checks a tag for a
// shorter prefix at that prefix.
func (s *session) discover(ctx context.Context, path string) (repository, *exchange) {
	tags, x := s.importTags(ctx, path)
	if x.class != OK {
		return repository{}, x
	}
	repo, err := matchTag(tags, path)
	if err == nil && repo.root != path {
		var again []repository
		if again, x = s.importTags(ctx, repo.root); x.class != OK {
			return repository{}, x
		}
		var other repository
		if other, err = matchTag(again, path); err == nil && other != repo {
			err = fmt.Errorf("%s and %s disagree about the repository", path, repo.root)
		}
	}
	if err != nil {
		x.finding = finding{ProtocolInvalid, LayerProtocol, err.Error()}
		return repository{}, x
	}
	return repo, x
}

// importTags reads the go-import tags of https://PATH?go-get=1. Like the go
// command it takes them from an answer of any status. Where GOINSECURE names the
// path, certificates are not checked and plain http is tried too.
func (s *session) importTags(ctx context.Context, path string) ([]repository, *exchange) {
	host, rest, _ := strings.Cut(path, "/")
	if !strings.Contains(host, ".") {
		return nil, &exchange{finding: finding{ConfigInvalid, LayerConfig, "module path " + path + " does not begin with a host"}}
	}
	u := &url.URL{Scheme: "https", Host: host, Path: "/" + rest, RawQuery: "go-get=1"}
	x := s.getPage(ctx, u)
	if s.insecure && x.status == 0 && x.class != ClassUnknown {
		u.Scheme = "http"
		x = s.getPage(ctx, u)
	}
	tags, err := parseImportTags(x.body)
	switch {
	case len(tags) > 0:
		x.finding = finding{OK, LayerProtocol, ""}
	case x.class == OK && err != nil:
		x.finding = finding{ProtocolInvalid, LayerProtocol, "no go-import tag: " + err.Error()}
	case x.class == OK:
		x.finding = finding{ProtocolInvalid, LayerProtocol, "no go-import tag at " + path}
	}
	return tags, x
}

// getPage is get for a page whose body counts whatever its status is.
func (s *session) getPage(ctx context.Context, u *url.URL) *exchange {
	x := &exchange{}
	res, t, cancel := s.send(ctx, u, x)
	defer cancel()
	if res == nil {
		return x
	}
	defer res.Body.Close()
	t.enter(stBody)
	x.status = res.StatusCode
	_, err := x.read(res.Body, s.p.cfg.BodyLimit)
	x.copy(t.now())
	switch {
	case err != nil:
		x.finding = classify(ctx, err, progress{stage: stBody, tunnel: true}, nil)
	case res.StatusCode != http.StatusOK:
		x.finding = statusFinding(res.StatusCode)
	default:
		x.finding = finding{OK, LayerHTTP, ""}
	}
	return x
}

// parseImportTags reads <meta name="go-import" content="ROOT VCS URL"> up to the
// end of the head (cmd/go/internal/vcs/discovery.go).
func parseImportTags(page []byte) ([]repository, error) {
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Strict = false
	var tags []repository
	for {
		token, err := d.RawToken()
		if err != nil {
			if len(tags) == 0 {
				return nil, err
			}
			return tags, nil
		}
		if e, ok := token.(xml.EndElement); ok && strings.EqualFold(e.Name.Local, "head") {
			return tags, nil
		}
		e, ok := token.(xml.StartElement)
		switch {
		case !ok:
			continue
		case strings.EqualFold(e.Name.Local, "body"):
			return tags, nil
		case !strings.EqualFold(e.Name.Local, "meta") || attribute(e, "name") != "go-import":
			continue
		}
		if f := strings.Fields(attribute(e, "content")); len(f) == 3 || len(f) == 4 {
			tags = append(tags, repository{root: f[0], vcs: f[1], url: f[2]})
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if strings.EqualFold(a.Name.Local, name) {
			return a.Value
		}
	}
	return ""
}

// matchTag picks the one tag whose root holds path; "mod", which names a module
// proxy, goes before version control.
func matchTag(tags []repository, path string) (repository, error) {
	var found []repository
	for _, t := range tags {
		if path == t.root || strings.HasPrefix(path, strings.TrimSuffix(t.root, "/")+"/") {
			if t.vcs == "mod" {
				return t, nil
			}
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return repository{}, errors.New("no go-import tag is for " + path)
	case 1:
		return found[0], nil
	default:
		return repository{}, errors.New("several go-import tags are for " + path)
	}
}

// requestDirect asks version control for one module version.
func (p *Prober) requestDirect(ctx context.Context, ep Endpoint, m module.Version) Result {
	start := time.Now()
	p.auth.prepare(ctx)
	ctx, cancel := context.WithTimeout(ctx, p.cfg.VCSAttempt)
	defer cancel()
	x := p.askVCS(ctx, m)
	x.phases.Total = wire.Millis(time.Since(start))
	return p.result(ep, m, x)
}

// askVCS finds the repository of a module and asks it for its refs. With a
// version that only a tag can name, a missing tag is not_found.
func (p *Prober) askVCS(ctx context.Context, m module.Version) *exchange {
	s := p.newSession()
	defer s.close()
	if module.MatchPrefixPatterns(p.env.Get("GOINSECURE"), m.Path) {
		s.allowInsecure()
	}
	x := &exchange{}
	repo, known := knownRepository(m.Path)
	if !known {
		if repo, x = s.discover(ctx, m.Path); x.class != OK {
			x.detail = "discovery at " + firstElement(m.Path) + ": " + x.detail
			return x
		}
	}
	if problem := checkRepository(repo); problem != "" {
		x.finding = finding{ProtocolInvalid, LayerProtocol, problem}
		return x
	}
	switch repo.vcs {
	case "git":
		tag := tagOf(m, repo.root)
		has, f := p.lsRemote(ctx, repo.url, tag)
		x.finding = s.classifyConnect(ctx, f)
		if f.class == AuthRequired && s.isGone(ctx, repo.url) {
			x.finding = finding{NotFound, LayerHTTP, "there is no repository " + repo.url}
		}
		if f.class == OK && tag != "" && !has {
			x.finding = finding{NotFound, LayerContent, "the repository has no tag " + tag}
		}
	case "mod":
		return p.askModRepository(ctx, repo, m)
	default:
		// Found, and not asked: git is what nearly every module uses.
		x.finding = finding{OK, LayerProtocol, "kept in " + repo.vcs + "; its server was not asked"}
		if _, err := lookPath(repo.vcs, p.environ); err != nil {
			x.finding = finding{ConfigInvalid, LayerConfig, repo.vcs + " is not installed"}
		}
	}
	return x
}

// isGone asks for a repository's own page, as the go command does after an error
// of git: some hosts ask for credentials where there is nothing at all.
func (s *session) isGone(ctx context.Context, repo string) bool {
	u, err := url.Parse(repo)
	if err != nil || u.Scheme != "https" {
		return false
	}
	return s.getPage(ctx, u).class == NotFound
}

// askModRepository asks the proxy that a go-import tag of kind "mod" names. It is
// a proxy like any other: GOINSECURE, which may have led to it, ends here.
func (p *Prober) askModRepository(ctx context.Context, repo repository, m module.Version) *exchange {
	s := p.newSession()
	defer s.close()
	base, err := url.Parse(repo.url)
	if err != nil {
		return &exchange{finding: finding{ProtocolInvalid, LayerProtocol, message(err)}}
	}
	f := Info
	if m.Version == "" {
		f = List
	}
	u, err := moduleURL(base, m, f)
	if err != nil {
		return &exchange{finding: finding{ConfigInvalid, LayerConfig, err.Error()}}
	}
	x := s.get(ctx, u, p.limitOf(f))
	x.judge(ctx, m, f)
	return x
}

// checkRepository refuses what the go command refuses (validateRepoRoot), and
// what git would take for an option or a helper program.
func checkRepository(r repository) string {
	u, err := url.Parse(r.url)
	switch {
	case err != nil:
		return "the repository's URL is malformed"
	case u.Scheme == "", u.Scheme == "file", strings.HasPrefix(r.url, "-"), strings.Contains(r.url, "::"):
		return "the repository's URL has an unusable scheme"
	}
	return ""
}

// allowInsecure makes a session do without certificate checks, for discovery of a
// module that GOINSECURE names.
func (s *session) allowInsecure() {
	s.insecure = true
	if t, ok := s.client.Transport.(*http.Transport); ok {
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
}

// probeDirect asks the version-control hosts of the modules in ep.VCS, each host
// once and all at the same time. One that fails makes "direct" fail: the first
// in the order of ep.VCS gives the class, and Detail names the host.
func (p *Prober) probeDirect(ctx context.Context, ep Endpoint) Result {
	paths := onePerHost(ep.VCS)
	if len(paths) == 0 {
		x := &exchange{finding: finding{ClassUnknown, LayerConfig, "no module of this project is known to need version control"}}
		return p.result(ep, module.Version{}, x)
	}
	start := time.Now()
	p.auth.prepare(ctx)
	ctx, cancel := context.WithTimeout(ctx, p.cfg.VCSAttempt)
	defer cancel()
	answers := make([]*exchange, len(paths))
	var wg sync.WaitGroup
	for i, path := range paths {
		wg.Go(func() { answers[i] = p.askVCS(ctx, module.Version{Path: path}) })
	}
	wg.Wait()
	worst := 0
	for i, x := range answers {
		if x.class.Failed() && !answers[worst].class.Failed() || x.class == NotFound && answers[worst].class == OK {
			worst = i
		}
	}
	x := answers[worst]
	x.phases.Total = wire.Millis(time.Since(start))
	if x.class != OK {
		x.detail = firstElement(paths[worst]) + ": " + x.detail
	} else {
		x.detail = fmt.Sprintf("%d of %d hosts answered", len(paths), len(paths))
	}
	return p.result(ep, module.Version{Path: paths[worst]}, x)
}

// onePerHost picks the first path of each host.
func onePerHost(paths []string) []string {
	seen := map[string]bool{}
	var picked []string
	for _, path := range paths {
		if host := firstElement(path); !seen[host] && len(picked) < maxHosts {
			seen[host] = true
			picked = append(picked, path)
		}
	}
	return picked
}

func firstElement(path string) string {
	host, _, _ := strings.Cut(path, "/")
	return host
}
