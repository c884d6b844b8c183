package parcel

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/mod/module"
)

var (
	// wordRE is what may be one name: nothing in it separates two. A URL has its
	// query with it.
	wordRE = pattern("[A-Za-z][A-Za-z0-9+.-]*:/{2,}[^\\s,|;\"'`<>(){}]*|[^\\s,|;\"'`<>(){}=]+")
	// urlRE begins a URL, also where its slashes are percent-encoded.
	urlRE = pattern(`(?i)(?:https?|file):/+|[a-z][a-z0-9+.-]*:/{2,}|[a-z][a-z0-9+.-]*%(?:25)*3a(?:%(?:25)*2f)+`)
	// windowsRE is a path with a drive or a server.
	windowsRE = pattern(`\b[A-Za-z]:\\|\\\\`)
	// runRE is what a host name can be made of, in any script.
	runRE = pattern(`[\pL\pN\pM_.-]+`)
	// versionRE is what follows the @ of a module.
	versionRE = pattern(`^(?:latest|v[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]*)?(?:\.(?:info|mod|zip|ziphash))?(?:/go\.mod)?)$`)
	// keyRE is the rest of a verifier key (golang.org/x/mod/sumdb/note).
	keyRE = pattern(`^\+[0-9a-f]{8}\+\S*`)
	// fileRE are names with a dot that are no hosts, versions and numbers.
	fileRE = pattern(`^(?:go\.(?:mod|sum|work|env)|go\.work\.sum|modules\.txt|resolv\.conf|v[0-9]+(?:\.[0-9]+){2}(?:[-+][0-9A-Za-z.+-]*)?(?:\.(?:info|mod|zip|ziphash))?|go[0-9.]+(?:rc[0-9]+)?|[0-9]+(?:\.[0-9]+)*(?:[nµm]?s|m|h|[kMG]i?B)?|Client\.Timeout)$`)
	// pathRE is what may follow a host without a scheme: a path, or a repository as
	// ssh has it.
	pathRE = pattern(`^(?:/|:[^0-9]).*`)
	// plainRE are requests that name nothing.
	plainRE = pattern(`^/(?:supported|latest|lookup|tile|tile/[0-9]+/(?:data|[0-9]+)/[0-9xp./]+)$`)
	// requestRE begins what the go command asks for below a base URL.
	requestRE = pattern(`/(?:@v|sumdb|lookup|tile)/|/@latest$|/supported$`)
)

// pattern is a regular expression that is compiled when it is first used: few starts
// of gpx mask anything.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// learn notes the hosts of the URLs in s, and the paths of those that are bases.
// What is a module is told when all hosts are known.
func (m *mask) learn(s string) {
	for _, word := range wordRE().FindAllString(strings.ReplaceAll(s, `\/`, "/"), -1) {
		loc := urlRE().FindStringIndex(word)
		if loc == nil {
			continue
		}
		scheme, _, authority, p := split(trim(word[loc[0]:]))
		switch {
		case scheme == "file://":
			m.file(p)
		case authority != "":
			m.hostPort(authority)
			if !requestRE().MatchString(p) {
				m.base(authority, p)
			}
		}
	}
}

// learnDatabase notes the name that a value of GOSUMDB begins with.
func (m *mask) learnDatabase(value string) {
	name, _, _ := strings.Cut(value, " ")
	name, _, _ = strings.Cut(name, "+")
	if name != "" && name != "off" && !strings.Contains(name, "/") {
		m.host(name)
	}
}

// text masks every name in s.
func (m *mask) text(s string) string {
	s = strings.ReplaceAll(s, `\/`, "/") // JSON in an error message
	return wordRE().ReplaceAllStringFunc(s, func(w string) string {
		name := trim(w)
		return m.name(name) + w[len(name):]
	})
}

// trim takes the punctuation of the sentence off a name.
func trim(word string) string {
	t := strings.TrimRight(word, ".:!?")
	if strings.HasSuffix(t, "]") && strings.Count(t, "]") > strings.Count(t, "[") {
		t = strings.TrimRight(t[:len(t)-1], ".:!?")
	}
	return t
}

// name masks one word.
func (m *mask) name(w string) string {
	if strings.Contains(w, "…") {
		return m.cut(w)
	}
	if loc := urlRE().FindStringIndex(w); loc != nil {
		return m.name(w[:loc[0]]) + m.url(w[loc[0]:])
	}
	if loc := windowsRE().FindStringIndex(w); loc != nil {
		return m.name(w[:loc[0]]) + m.file(w[loc[0]:])
	}
	if i := strings.Index(w, ":/"); i >= 0 { // "open:/srv/x"
		return m.name(w[:i]) + ":" + m.name(w[i+1:])
	}
	if strings.HasPrefix(w, "/") {
		if kept := m.request(w); kept != "" {
			return kept
		}
		return m.file(w)
	}
	if strings.HasPrefix(w, "~/") || strings.HasPrefix(w, "./") || strings.HasPrefix(w, "../") {
		return m.file(w)
	}
	if masked, ok := m.module(w); ok {
		return masked
	}
	if at := strings.LastIndexByte(w, '@'); at >= 0 && m.isHost(w[at+1:]) { // somebody's address
		return "xxxxx@" + m.host(w[at+1:])
	}
	host, rest, slash := strings.Cut(w, "/")
	if slash && m.isHost(withoutPort(host)) {
		return m.hostPort(host) + m.path(host, "/"+rest)
	}
	if a, err := netip.ParseAddr(strings.Trim(w, "[]")); err == nil {
		return m.host(a.String())
	}
	if a, err := netip.ParseAddrPort(w); err == nil {
		return m.hostPort(a.String())
	}
	return m.runs(w)
}

// runs masks what looks like a host name anywhere in a word.
func (m *mask) runs(w string) string {
	var b strings.Builder
	for w != "" {
		loc := runRE().FindStringIndex(w)
		if loc == nil {
			break
		}
		b.WriteString(w[:loc[0]])
		run := w[loc[0]:loc[1]]
		w = w[loc[1]:]
		host := strings.Trim(run, ".-")
		if !m.isHost(host) {
			b.WriteString(m.scrub(run))
			continue
		}
		before, after, _ := strings.Cut(run, host)
		b.WriteString(before + m.host(host) + after)
		if !publicDatabases[strings.ToLower(host)] {
			w = pathRE().ReplaceAllString(keyRE().ReplaceAllString(w, ""), "")
		}
	}
	return b.String() + w
}

// isHost reports whether a word is a host that is known, an address, or has the
// form of a host's full name.
func (m *mask) isHost(w string) bool {
	if _, ok := m.hosts[strings.ToLower(w)]; ok {
		return true
	}
	if _, err := netip.ParseAddr(strings.Trim(w, "[]")); err == nil {
		return true
	}
	first, last, dotted := strings.Cut(w, ".")
	if !dotted || first == "" || fileRE().MatchString(w) && m.scrub(w) == w || runRE().FindString(w) != w {
		return false
	}
	last = last[strings.LastIndexByte(last, '.')+1:]
	// No top-level domain is a number, or one letter as in "e.g".
	return len(last) > 1 && strings.Trim(last, "0123456789") != ""
}

// scrub takes known hosts out of what is else kept as it is, such as a version:
// it is foreign text too.
func (m *mask) scrub(s string) string {
	lower := strings.ToLower(s)
	for host := range m.hosts {
		if strings.Contains(host, ".") && strings.Contains(lower, host) {
			return "…"
		}
	}
	return s
}

// host is what stands for a host.
func (m *mask) host(host string) string {
	host = strings.ToLower(strings.TrimRight(strings.Trim(host, "[]"), "."))
	if publicDatabases[host] || host == "xxxxx" {
		return host
	}
	m.named[host] = true
	return alias(m.hosts, host, "host-%d.example")
}

// hostPort keeps the port: two servers of one host are two.
func (m *mask) hostPort(authority string) string {
	host := withoutPort(authority)
	return m.host(host) + authority[len(host):]
}

func withoutPort(authority string) string {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.Trim(authority[i+1:], "0123456789") != "" || strings.HasSuffix(authority[:i], ":") {
		return authority
	}
	if host := authority[:i]; !strings.Contains(host, ":") || strings.HasSuffix(host, "]") {
		return host
	}
	return authority // an IPv6 address without brackets
}

// split takes a URL apart; its query and fragment are dropped, and of a userinfo
// is told that there was one.
func split(u string) (scheme, user, authority, p string) {
	scheme = urlRE().FindString(u)
	rest := u[len(scheme):]
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	if strings.HasPrefix(strings.ToLower(scheme), "file:") {
		return "file://", "", "", "/" + rest
	}
	if strings.Contains(scheme, "%") { // in the query of another one: its host is enough
		rest, _, _ = strings.Cut(rest, "%")
	}
	authority, p, slash := strings.Cut(rest, "/")
	if slash {
		p = "/" + p
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, authority = "xxxxx@", authority[i+1:]
	}
	return scheme, user, authority, p
}

// url masks a URL.
func (m *mask) url(u string) string {
	scheme, user, authority, p := split(u)
	scheme = m.scrub(scheme)
	switch {
	case scheme == "file://":
		return scheme + m.file(p)
	case authority == "":
		return scheme
	}
	return scheme + user + m.hostPort(authority) + m.path(authority, p)
}

// base is what stands for the path of a base URL.
func (m *mask) base(authority, p string) string {
	bare := strings.TrimRight(p, "/")
	if bare == "" {
		return p
	}
	m.named[withoutPort(authority)+bare] = true
	m.named[authority+bare] = true
	return alias(m.paths, authority+bare, "/path-%d") + p[len(bare):]
}

// path masks the path of a URL: its base by a number, and what the go command asks
// for below it as far as that is public.
func (m *mask) path(authority, p string) string {
	if !requestRE().MatchString(p) {
		return m.base(authority, p)
	}
	for i := len(p); i > 0; i = strings.LastIndexByte(p[:i], '/') {
		if known, ok := m.paths[authority+p[:i]]; ok {
			return known + cmp.Or(m.request(p[i:]), "/…")
		}
	}
	return cmp.Or(m.request(p), "/…")
}

// request masks what the go command asks of a proxy or a checksum database; it is
// empty where p is no such request.
func (m *mask) request(p string) string {
	if name, ok := strings.CutPrefix(p, "/sumdb/"); ok {
		name, rest, _ := strings.Cut(name, "/")
		if rest == "" {
			return "/sumdb/" + m.host(name)
		}
		return "/sumdb/" + m.host(name) + m.request("/"+rest)
	}
	if version, ok := strings.CutPrefix(p, "/lookup/"); ok {
		masked, ok := m.module(version)
		if !ok {
			masked = "…"
		}
		return "/lookup/" + masked
	}
	if plainRE().MatchString(p) {
		return p
	}
	i := max(strings.Index(p, "/@v/"), strings.Index(p, "/@latest"))
	if i <= 0 {
		return ""
	}
	masked, ok := m.module(p[1:i] + "@latest")
	if !ok {
		return ""
	}
	tail := "/@latest"
	version, ok := strings.CutPrefix(p[i:], "/@v/")
	if ok {
		tail = p[i:]
	}
	if ok && version != "list" && (!versionRE().MatchString(version) || m.scrub(version) != version) {
		tail = "/@v/…" // a branch, maybe
	}
	return "/" + strings.TrimSuffix(masked, "@latest") + tail
}

// file masks a path of this machine.
func (m *mask) file(p string) string {
	p = path.Clean(strings.ReplaceAll(p, `\`, "/"))
	if p == "/" {
		return p
	}
	m.named[p] = true
	return alias(m.paths, p, "/path-%d")
}

// module masks module@version, and a module path that is known to be one; else it
// reports false.
func (m *mask) module(w string) (string, bool) {
	escaped, version, ok := strings.Cut(w, "@")
	p, err := module.UnescapePath(escaped)
	if err != nil {
		p = escaped
	}
	if masked, known := m.modules[p]; known && !ok {
		return masked, true
	}
	if !ok || module.CheckPath(p) != nil || !versionRE().MatchString(version) {
		return "", false
	}
	m.named[w] = true
	return m.modulePath(p) + "@" + m.scrub(version), true
}

func (m *mask) modulePath(p string) string {
	if masked, ok := m.modules[p]; ok {
		return masked
	}
	first, _, _ := strings.Cut(p, "/")
	if _, hidden := m.hosts[strings.ToLower(first)]; !hidden && !m.private(p) {
		m.modules[p] = p
		return p
	}
	n := 0
	for p, masked := range m.modules {
		if p != masked {
			n++
		}
	}
	_, major, _ := module.SplitPathVersion(p)
	if strings.HasPrefix(major, ".") {
		major = ""
	}
	m.modules[p] = fmt.Sprintf("private-%d.example/module%s", n+1, major)
	return m.modules[p]
}

// cut masks a name out of whose middle a headline took something.
func (m *mask) cut(w string) string {
	head, tail, _ := strings.Cut(w, "…")
	best := ""
	for name := range m.named {
		if len(name) >= len(head)+len(tail) && strings.HasPrefix(name, head) && strings.HasSuffix(name, tail) &&
			(best == "" || name < best) {
			best = name
		}
	}
	if best == "" || head+tail == "" {
		return "…"
	}
	return m.name(best)
}
