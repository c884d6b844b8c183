package redact

import "strings"

// schemeRE is the beginning of a URL up to its authority: "https://", and what
// becomes of it inside JSON ("https:\/\/"), inside a query
// ("https%3A%2F%2F"), or under a clumsy hand ("https:/", "https:///").
var schemeRE = lazily(`(?i)[a-z][a-z0-9+.-]*(?::|%(?:25)*3a)(?:\\*/|%(?:25)*2f)+`)

// slashRE ends an authority.
var slashRE = lazily(`(?i)/|%(?:25)*2f`)

// atRE ends a userinfo that is percent-encoded as a whole.
var atRE = lazily(`%(?:25)*40`)

// versionRE is what follows the @ of module@version.
var versionRE = lazily(`^(?:v[0-9]+(?:\.[0-9]+){0,2}(?:[-+][0-9A-Za-z.+-]*)?|latest|upgrade|patch|none)(?:\.(?:info|mod|zip|ziphash|lock|partial))?(?:\.?$|:$|:[^0-9]|[^0-9A-Za-z.:@-]|\.[^0-9A-Za-z])`)

// token redacts one word: text in which nothing separates one URL from another
// but the beginning of the next.
func token(s string) string {
	if !strings.ContainsAny(s, "@:%") {
		return s
	}
	var b strings.Builder
	last := -1 // where the last @ that may end a userinfo ends, counted from the end
	for s != "" {
		loc := schemeRE().FindStringIndex(s)
		if loc == nil {
			break
		}
		b.WriteString(bare(s[:loc[0]]))
		scheme := s[loc[0]:loc[1]]
		b.WriteString(scheme)
		s = s[loc[1]:]
		if isFile(scheme) {
			continue // file:///a@b/c: the slashes are the path
		}
		end := len(s)
		if loc := slashRE().FindStringIndex(s); loc != nil {
			end = loc[0]
		}
		port, stop := badPort(s[:end])
		at := userinfo(scheme, s, end)
		if at == 0 && port >= 0 {
			// What should be a port is none: half of a userinfo that was cut
			// by a slash or a comma. Looked for once, so that this is linear.
			if last < 0 {
				last = len(s) - lastBareAt(s)
			}
			at = max(0, len(s)-last)
		}
		switch {
		case at > 0:
			b.WriteString(Mark + "@")
			end = max(at, end)
			b.WriteString(s[at:end])
		case port >= 0:
			b.WriteString(s[:port] + Mark + s[stop:end])
		default:
			b.WriteString(s[:end])
		}
		s = s[end:]
	}
	b.WriteString(bare(s))
	return b.String()
}

// userinfo is where the userinfo of a URL ends, of which s follows the scheme
// and s[:end] is the authority; 0 when there is none.
func userinfo(scheme, s string, end int) int {
	if at := hiddenAt(scheme, s, end); at > 0 {
		return at
	}
	if _, at := lastAt(s[:end]); at > 0 {
		return at
	}
	return 0
}

// hiddenAt is the end of the @ of a userinfo with a slash in it, where the
// authority s[:end] alone does not betray it; 0 when there is none. It is so
// where the slashes are percent-encoded, as those of the URL itself are, and
// where the authority is one word and a host follows later: a token's first
// half and not an intranet's "goproxy".
func hiddenAt(scheme, s string, end int) int {
	encoded := strings.Contains(scheme, "%")
	authority, _, _ := strings.Cut(s[:end], ":")
	if !encoded && (strings.ContainsAny(authority, ".[@") || authority == "localhost") {
		return 0
	}
	s = s[:min(len(s), 1024)] // a bound, so that the whole stays linear
	if i := strings.IndexAny(s, ",|&;\"'<>()`"); i >= 0 {
		s = s[:i]
	}
	found := 0
	for i := 0; ; {
		start, at := nextAt(s, i)
		if start < 0 {
			return found
		}
		if i = at; !isVersion(s, start, at) && (encoded || dottedRE().MatchString(s[at:])) {
			found = at
		}
	}
}

// dottedRE is a host name that is more than a word.
var dottedRE = lazily(`^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`)

// isFile reports whether a scheme with its slashes begins a file path.
func isFile(scheme string) bool {
	i := strings.IndexAny(scheme, ":%")
	name := strings.ToLower(scheme[:i])
	if name == "file" {
		return strings.Count(scheme, "/") != 2
	}
	return len(name) == 1 // C:/Users
}

// lastAt finds the last @ of an authority, or a percent-encoded one when there
// is no other: its start and end, or -1.
func lastAt(s string) (start, end int) {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return i, i + 1
	}
	if all := atRE().FindAllStringIndex(s, -1); len(all) > 0 {
		loc := all[len(all)-1]
		return loc[0], loc[1]
	}
	return -1, -1
}

// lastBareAt is the end of the last @ in s that may end a userinfo, 0 when
// there is none.
func lastBareAt(s string) int {
	for i := len(s); ; {
		i = strings.LastIndexByte(s[:i], '@')
		if i < 0 {
			return 0
		}
		if !isVersion(s, i, i+1) {
			return i + 1
		}
	}
}

// badPort finds what stands in the place of a port and is no number: its start
// and end, or -1.
func badPort(authority string) (start, end int) {
	host := 0
	if strings.HasPrefix(authority, "[") {
		host = max(0, strings.IndexByte(authority, ']'))
	}
	stop := len(authority)
	if i := strings.IndexAny(authority[host:], ",|;\"'<>()`\\"); i >= 0 {
		stop = host + i
	}
	colon := strings.IndexByte(authority[host:stop], ':')
	if colon < 0 {
		return -1, -1
	}
	port := host + colon + 1
	text := strings.TrimRight(authority[port:stop], ".:!?")
	if strings.Trim(text, "0123456789") == "" {
		return -1, -1
	}
	if queryRE().MatchString(text) && (strings.ContainsAny(authority[:port], ".[") || authority[:port] == "localhost:") {
		return -1, -1
	}
	return port, port + len(text)
}

// queryRE is a port with a query behind it. A password may look so too: a port is
// believed only behind what can be no user's name but a host's.
var queryRE = lazily(`^[0-9]{1,5}\?[A-Za-z0-9_.~-]+=`)

// slashEndRE, protocolRE: what stands before and after the @ of the proxy
// protocol.
var (
	slashEndRE = lazily(`(?i)(?:/|%(?:25)*2f)$`)
	protocolRE = lazily(`(?i)^(?:v(?:/|%(?:25)*2f|$)|latest)`)
)

// isVersion reports whether the @ at s[start:end] belongs to module@version,
// or to the /@v/ and /@latest of the proxy protocol.
func isVersion(s string, start, end int) bool {
	rest := s[end:]
	if len(rest) > 256 { // no version is longer; keeps this constant in time
		rest = rest[:256]
	}
	if slashEndRE().MatchString(s[max(0, start-8):start]) && protocolRE().MatchString(rest) {
		return true
	}
	return versionRE().MatchString(rest)
}

// bare redacts user:password@host in text without a scheme. Without a colon it
// cannot be told from an address or from git@host:path, and stays.
func bare(s string) string {
	if !strings.ContainsAny(s, "@%") {
		return s
	}
	var b strings.Builder
	done := 0 // s[:done] is written
	from := 0 // where the search for a colon begins
	for i := 0; i < len(s); {
		start, end := nextAt(s, i)
		if start < 0 {
			break
		}
		i = end
		if isVersion(s, start, end) {
			from = end
			continue
		}
		colon := passwordColon(s, from, start, end)
		from = end
		if colon < 0 {
			continue
		}
		user := colon
		for user > done && !strings.ContainsRune(" \"'<>()[]{}=,|;/`", rune(s[user-1])) {
			user--
		}
		// An @ in the password: the last one before the path counts.
		for {
			a, e := nextAt(s, end)
			if a < 0 || strings.ContainsAny(s[end:a], "/ ") || isVersion(s, a, e) {
				break
			}
			end = e
		}
		b.WriteString(s[done:user])
		b.WriteString(Mark + "@")
		done, from, i = end, end, end
	}
	b.WriteString(s[done:])
	return b.String()
}

// nextAt finds the next @ or %40 at or after i: its start and end, or -1.
func nextAt(s string, i int) (start, end int) {
	for ; i < len(s); i++ {
		switch s[i] {
		case '@':
			return i, i + 1
		case '%':
			if loc := atRE().FindStringIndex(s[i:min(len(s), i+16)]); loc != nil && loc[0] == 0 {
				return i, i + loc[1]
			}
		}
	}
	return -1, -1
}

// colonRE separates user from password; a percent-encoded one counts too.
var colonRE = lazily(`(?i):|%(?:25)*3a`)

// portRE, driveRE: a colon that separates something else.
var (
	portRE  = lazily(`^[0-9]+/`)
	pathRE  = lazily(`^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/[A-Za-z0-9._~-]+)+$`)
	hostRE  = lazily(`^(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?:\.[A-Za-z]+|:[0-9]+)|[0-9.]+|\[)`)
	maxPath = 1024 // no module path is longer
)

// passwordColon finds the colon in s[from:at] after which a password may
// stand, given the @ at s[at:end]; -1 when there is none.
func passwordColon(s string, from, at, end int) int {
	for from < at {
		loc := colonRE().FindStringIndex(s[from:at])
		if loc == nil {
			return -1
		}
		colon, after := from+loc[0], from+loc[1]
		from = after
		rest := s[after:at]
		switch {
		case portRE().MatchString(rest[:min(len(rest), 8)]): // host:8080/a@b
		case strings.HasSuffix(s[:colon], "mailto"):
		case strings.HasPrefix(rest, `\`) && colon > 0 && (colon == 1 || !isWord(s[colon-2])): // C:\Users\a@b
		case len(rest) <= maxPath && pathRE().MatchString(rest) && !hostRE().MatchString(s[end:min(len(s), end+256)]): // label:example.com/m@master
		default:
			return colon
		}
	}
	return -1
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
