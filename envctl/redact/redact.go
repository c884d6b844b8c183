// Package redact makes outside text safe to show: it takes credentials out of
// it, and keeps it from driving the terminal.
//
// Everything gpx prints, logs or stores that did not come from its own source
// passes through here: environment values, error messages, response bodies,
// file names. The order is always the same, because an escape sequence in the
// middle of a password would otherwise hide the password from the redaction:
//
//	outside text ──Clean──▶ one harmless line ──redaction──▶ no credentials
//
// Redaction errs on the side of hiding: the go command's own
// [net/url.URL.Redacted] hides only the password, but a token often stands
// where the user name would, so here the whole userinfo goes. What must stay
// readable is what people debug with: hosts, paths and module@version.
//
// The package keeps no state and does no input or output. All functions are
// linear in the length of the text.
package redact

import (
	"regexp"
	"strings"
	"sync"
)

// Mark stands where a secret stood.
const Mark = "xxxxx"

// URL returns a GOPROXY entry or any other URL for display. Unlike [Text] it
// knows that the whole string is one URL, so that it also finds a userinfo
// without a scheme ("token@host") and one with blanks in it.
func URL(raw string) string {
	s := strings.TrimSpace(Clean(raw))
	if loc := schemeRE().FindStringIndex(s); loc == nil || loc[0] != 0 {
		authority, _, _ := strings.Cut(s, "/")
		if a, b := lastAt(authority); a >= 0 && !isVersion(s, a, b) {
			s = Mark + "@" + s[b:]
		} else if port, stop := badPort(authority); port >= 0 {
			s = s[:port] + Mark + s[stop:] // user:password, cut at a comma
		}
	}
	return secrets(token(s))
}

// Text returns free text for display: the userinfo of every URL in it is
// hidden, with or without a scheme, percent-encoded or not, and so are the
// other shapes in which credentials travel (see secrets).
func Text(s string) string {
	s = Clean(s)
	if !strings.ContainsAny(s, "@%:=") {
		return secrets(s)
	}
	s = parseRE().ReplaceAllStringFunc(s, func(m string) string {
		before := strings.IndexByte(m, '"') + 1
		return m[:before] + URL(m[before:])
	})
	s = goauthRE().ReplaceAllStringFunc(s, func(m string) string {
		before := goauthNameRE().FindStringIndex(m)[1]
		after := len(strings.TrimSuffix(m, ": "))
		return m[:before] + goauth(m[before:after]) + m[after:]
	})
	var b strings.Builder
	for s != "" {
		word, blank := s, ""
		if i := strings.IndexByte(s, ' '); i >= 0 {
			word, blank = s[:i], " "
		}
		if m := assignRE().FindStringSubmatchIndex(word); m != nil {
			b.WriteString(token(word[:m[3]]))
			b.WriteString(list(word[m[3]:]))
		} else {
			b.WriteString(token(word))
		}
		b.WriteString(blank)
		s = s[len(word)+len(blank):]
	}
	return secrets(b.String())
}

// lazily compiles an expression when something is first compared with it: all of
// them take 0.4 ms, and many commands need none.
func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// parseRE is the beginning of the URL parser's message, which may itself be
// quoted. What it quotes is one URL, whatever blanks are in it.
var parseRE = lazily(`parse (?:"(?:[^"\\]|\\.)+|\\+"[^"\\]+)`)

// goauthRE is GOAUTH in the go command's messages (cmd/go/internal/auth), which
// repeat its commands with their arguments: in brackets, quoted, or up to a
// colon.
var (
	goauthRE     = lazily(`\bGOAUTH=(?:"[^"]*|'[^']*)|\(GOAUTH=[^)]*|\bGOAUTH(?:=| command )(?:(?:off|netrc)\b(?:;.*?(?:: |$))?|[^"'].*?(?:: |$))`)
	goauthNameRE = lazily(`GOAUTH(?:=["']?| command )`)
)

// assignRE is an assignment of a value that is known to be made of URLs, so
// that "token@host" in it is no address.
var assignRE = lazily(`(?i)(\b(?:goproxy|https?_proxy|all_proxy)=["']?)`)

// Value returns the value of a go env variable for display.
func Value(name, value string) string {
	switch strings.ToUpper(name) {
	case "GOPROXY":
		return list(value)
	case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY":
		return URL(value)
	case "GOSUMDB":
		fields := strings.Fields(Clean(value))
		for i := range fields {
			if i == 0 {
				fields[i] = Text(fields[i]) // a public verifier key
			} else {
				fields[i] = URL(fields[i])
			}
		}
		return strings.Join(fields, " ")
	case "GOAUTH":
		return goauth(Clean(value))
	}
	return Text(value)
}

// list redacts a GOPROXY value entry by entry, because a password with a comma
// in it is two entries to the go command, and to its error messages.
func list(value string) string {
	var b strings.Builder
	for rest := Clean(value); rest != ""; {
		entry, sep := rest, ""
		if i := strings.IndexAny(rest, ",|"); i >= 0 {
			entry, sep = rest[:i], rest[i:i+1]
		}
		b.WriteString(URL(entry))
		b.WriteString(sep)
		rest = rest[len(entry)+len(sep):]
	}
	return b.String()
}

// goauth redacts a GOAUTH value: commands separated by semicolons. Of the
// user's own commands the arguments are hidden, they may be tokens.
func goauth(value string) string {
	commands := strings.Split(value, ";")
	for i, c := range commands {
		f := strings.Fields(c)
		switch {
		case len(f) == 0:
			commands[i] = ""
		case len(f) == 1, f[0] == "git":
			commands[i] = Text(strings.Join(f, " "))
		default:
			commands[i] = Text(f[0]) + " " + Mark
		}
	}
	return strings.Join(commands, "; ")
}

// A shape is a form in which credentials travel outside of userinfo. Most texts
// hold none of the hints (lower case) and are spared the expression; in it, $1
// is kept.
type shape struct {
	hints []string
	re    func() *regexp.Regexp
}

// when compiles an expression when a text first needs it: all of them take a
// millisecond, and most commands need none.
func when(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// secretName is a name that says that its value is a secret.
const secretName = `[a-z0-9_.-]*(?:token|secret|passwd|password|passphrase|api_?key|access_?key|private_?key)[a-z0-9_.-]*`

var shapes = []shape{
	// The parser's message quotes what it took for a port: of
	// https://user:pa,ss@host that is half of the password.
	{[]string{"invalid port "}, when(`(invalid port ")(?:[^"\\]|\\.)*`)},
	{[]string{"invalid port "}, when(`(invalid port \\+")[^"\\]*`)},
	// Query values, percent-encoded or not.
	{[]string{"key", "auth", "sig", "credential", "pass", "pwd", "code", "access", "jwt", "sas", "hmac", "session", "ticket"},
		when(`(?i)((?:[?&;]|%(?:25)*(?:3f|26|3b))(?:[a-z0-9_.\[\]-]*[_.-])?` +
			`(?:key|auth|sig|signature|credentials?|pass|pwd|code|access|accessid|jwt|sas|hmac|session|ticket)(?:=|%(?:25)*3d))[^&;#\s"']+`)},
	// NAME=VALUE anywhere when the name says so, JSON members, flags, headers.
	{[]string{"token", "secret", "passw", "passp", "key"},
		when(`(?i)(` + secretName + `(?:\s*=\s*|%(?:25)*3d)\\*["']?)[^&;#\s"'\\]+`)},
	{[]string{"_auth=", "_pat=", "_pass=", "_pwd="}, when(`(?i)([a-z0-9]_(?:auth|pat|pass|pwd)=["']?)[^&;#\s"']+`)},
	{[]string{"token", "secret", "passw", "passp", "key"},
		when(`(?i)(` + secretName + `\\*["']\s*:\s*\\*["'])[^"'\\]+`)},
	{[]string{"-token", "-secret", "-passw", "-bearer", "-api"},
		when(`(?i)((?:^|\s)--?(?:[a-z0-9]+-)*(?:token|secret|passwd|password|bearer|api-?key)\s+["']?)[^\s"'-][^\s"']*`)},
	{[]string{"-u ", "-user"}, when(`(?i)((?:^|\s)(?:-u\s+|--(?:proxy-)?user[\s=])["']?)[^\s:"'/]+:[^\s"'/][^\s"']*`)},
	// A plain "token:" is a parser's word; only a longer name is a header.
	{[]string{"token:", "key:", "-api:", "secret:", "passw", "passphrase:"},
		when(`(?i)((?:^|[\s"'({\[,])(?:[a-z0-9_-]*[_-](?:token|api-?key|art-api|secret)|password|passwd|passphrase|api[_-]?key|secret):\s*)[^\s"',]+`)},
	{[]string{"cookie"}, when(`(?i)(\b(?:set-)?cookie\\*["']?:\s*\\*["']?)[^\s"';]+(?:;\s*[^\s"';]+)*`)},
	{[]string{"authorization"}, when(`(?i)(\b(?:proxy-)?authorization\\*["']?\s*[:=]\s*(?:\[\]string)?[\[{\\"']*(?:(?:basic|bearer|digest|negotiate|token)\s+)?)[^\s"',\]}\\]+`)},
	{[]string{"bearer"}, when(`(?i)(\bbearer\s+)[a-z0-9._~+/=-]{16,}`)},
	// Lines of a netrc file.
	{[]string{"password"}, when(`(?i)(\b(?:machine\s+\S+|default)(?:\s+(?:login|account)\s+\S+)*\s+password\s+)\S+`)},
	// Tokens that name their issuer: GitHub, GitLab, Slack, AWS, JWT.
	{[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, when(`()\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})`)},
	{[]string{"glpat-", "xox", "akia"}, when(`()\b(?:glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16})`)},
	{[]string{"eyj"}, when(`()\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*`)},
}

// secrets hides credentials that are not in a userinfo.
func secrets(s string) string {
	lower := strings.ToLower(s)
	for _, shape := range shapes {
		for _, h := range shape.hints {
			if strings.Contains(lower, h) {
				s = shape.re().ReplaceAllString(s, "${1}"+Mark)
				break
			}
		}
	}
	return s
}
