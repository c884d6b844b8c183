package redact

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestURL(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing to hide", "https://proxy.example.com/go", "https://proxy.example.com/go"},
		{"port", "http://127.0.0.1:8080/", "http://127.0.0.1:8080/"},
		{"ipv6 port", "http://[::1]:8080/", "http://[::1]:8080/"},
		{"port and query", "http://127.0.0.1:8080?x=y", "http://127.0.0.1:8080?x=y"},
		{"ipv6 port and query", "http://[::1]:8080?x=y&token=hunter2", "http://[::1]:8080?x=y&token=xxxxx"},
		{"localhost and query", "http://localhost:8080?x=y", "http://localhost:8080?x=y"},
		{"no scheme, port and query", "proxy.example.com:8080?x=y", "proxy.example.com:8080?x=y"},
		{"digits and a question mark cut at a comma", "https://joe:8080?x=hun", "https://joe:xxxxx"},
		{"digits and a question mark in a password", "https://joe:8080?x=hunter2@proxy.example.com", "https://xxxxx@proxy.example.com"},
		{"more than a port before a query", "https://p.example.com:808080?x=hunter2", "https://p.example.com:xxxxx"},
		{"words", "direct", "direct"},
		{"password", "https://joe:hunter2@proxy.example.com/go", "https://xxxxx@proxy.example.com/go"},
		{"token as user", "https://hunter2@proxy.example.com", "https://xxxxx@proxy.example.com"},
		{"percent-encoded userinfo", "https://joe:hunter%402@proxy.example.com", "https://xxxxx@proxy.example.com"},
		{"at in password", "https://joe:hun@ter2@proxy.example.com", "https://xxxxx@proxy.example.com"},
		{"slash in password", "https://joe:hun/ter2@proxy.example.com", "https://xxxxx@proxy.example.com"},
		{"hash in password", "https://joe:hun#ter2@proxy.example.com", "https://xxxxx@proxy.example.com"},
		{"question mark in password", "https://joe:hun?ter2@proxy.example.com", "https://xxxxx@proxy.example.com"},
		{"blank in password", "https://joe:hun ter2@proxy.example.com", "https://xxxxx@proxy.example.com"},
		{"quote in password", `https://joe:hun"ter2@proxy.example.com`, "https://xxxxx@proxy.example.com"},
		{"password cut at a comma", "https://joe:hun", "https://joe:xxxxx"},
		{"no scheme", "joe:hunter2@proxy.example.com", "xxxxx@proxy.example.com"},
		{"no scheme, token", "hunter2@proxy.example.com/go", "xxxxx@proxy.example.com/go"},
		{"one slash", "https:/joe:hunter2@proxy.example.com", "https:/xxxxx@proxy.example.com"},
		{"three slashes", "https:///hunter2@proxy.example.com", "https:///xxxxx@proxy.example.com"},
		{"userinfo behind an escape", "https://joe:hun\x1b[31mter2@proxy.example.com", "https://xxxxx@proxy.example.com"},
		{"query", "https://proxy.example.com/go?token=hunter2&x=1", "https://proxy.example.com/go?token=xxxxx&x=1"},
		{"signed query", "https://s.example.com/o?X-Amz-Credential=hunter2&X-Amz-Signature=hunter2&x=1", "https://s.example.com/o?X-Amz-Credential=xxxxx&X-Amz-Signature=xxxxx&x=1"},
		{"file tree", "file:///home/joe/go/pkg/mod/a@b", "file:///home/joe/go/pkg/mod/a@b"},
		{"file with userinfo", "file://joe:hunter2@host/x", "file://xxxxx@host/x"},
		{"module version in the path", "https://proxy.example.com/m@v1.2.3", "https://proxy.example.com/m@v1.2.3"},
		{"proxy protocol path", "https://proxy.example.com/m/@v/list", "https://proxy.example.com/m/@v/list"},
		{"bad port before a version", "https://proxy.example.com:foo/m@v1.2.3", "https://proxy.example.com:xxxxx/m@v1.2.3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := URL(tt.in); got != tt.want {
				t.Errorf("URL(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"in an error", `Get "https://joe:hunter2@p.example.com/m/@v/list": EOF`, `Get "https://xxxxx@p.example.com/m/@v/list": EOF`},
		{"parse error", `parse "https://joe:hun": invalid port ":hun" after host`, `parse "https://joe:xxxxx": invalid port "xxxxx" after host`},
		{"parse error with a blank", `go: parse "https://joe:hun ter2@p.example.com": net/url: invalid userinfo`, `go: parse "https://xxxxx@p.example.com": net/url: invalid userinfo`},
		{"parse error with a quote", `parse "https://joe:hun\" ter2@p.example.com": oops "x@y z"`, `parse "https://xxxxx@p.example.com": oops "x@y z"`},
		{"git's question", "fatal: could not read Password for 'https://hunter2@git.example.com': terminal prompts disabled", "fatal: could not read Password for 'https://xxxxx@git.example.com': terminal prompts disabled"},
		{"two hops", "https://a:hunter2@a.example.com,https://b:hunter2@b.example.com|direct", "https://xxxxx@a.example.com,https://xxxxx@b.example.com|direct"},
		{"two hops with paths", "https://a:hunter2@a.example.com/,https://b:hunter2@b.example.com/|direct", "https://xxxxx@a.example.com/,https://xxxxx@b.example.com/|direct"},
		{"password with a comma", "https://joe:hun,ter2@p.example.com/", "https://xxxxx@p.example.com/"},
		{"no scheme", "dialling joe:hunter2@p.example.com:80 failed", "dialling xxxxx@p.example.com:80 failed"},
		{"no scheme, at in password", "joe:hun@ter2@p.example.com", "xxxxx@p.example.com"},
		{"no scheme, slash in password", "joe:hun/ter2@p.example.com", "xxxxx@p.example.com"},
		{"no scheme, percent-encoded", "joe%3Ahunter2%40p.example.com", "xxxxx@p.example.com"},
		{"scheme-relative", "//joe:hunter2@p.example.com/x", "//xxxxx@p.example.com/x"},
		{"assignment", "HTTPS_PROXY=joe:hunter2@p.example.com:3128", "HTTPS_PROXY=xxxxx@p.example.com:3128"},
		{"assignment of a token", `export GOPROXY="hunter2@p.example.com|https://hunter2@q.example.com,direct"`, `export GOPROXY="xxxxx@p.example.com|https://xxxxx@q.example.com,direct"`},
		{"json", `{"url":"https:\/\/joe:hunter2@p.example.com\/x"}`, `{"url":"https:\/\/xxxxx@p.example.com\/x"}`},
		{"percent-encoded URL", "?next=https%3A%2F%2Fjoe%3Ahunter2%40p.example.com%2Fx", "?next=https%3A%2F%2Fxxxxx@p.example.com%2Fx"},
		{"twice percent-encoded URL", "https%253A%252F%252Fjoe%253Ahunter2%2540p.example.com%252Fx", "https%253A%252F%252Fxxxxx@p.example.com%252Fx"},
		{"git over ssh with scheme", "ssh://git@github.com/a/b", "ssh://xxxxx@github.com/a/b"},
		{"header", "Authorization: Basic aHVudGVyMg==", "Authorization: Basic xxxxx"},
		{"header in json", `{"authorization":"Bearer hunter2"}`, `{"authorization":"Bearer xxxxx"}`},
		{"bearer", "sent bearer 0123456789abcdef0123", "sent bearer xxxxx"},
		{"netrc", "machine p.example.com login joe password hunter2", "machine p.example.com login joe password xxxxx"},
		{"named secret", "-ldflags=-X main.apiToken=hunter2", "-ldflags=-X main.apiToken=xxxxx"},
		{"token that names its issuer", "remote: ghp_0123456789abcdefABCDEF expired", "remote: xxxxx expired"},
		{"version that is none", "joe:hunter2@v1@p.example.com", "xxxxx@p.example.com"},
		{"host named like a query", "joe:hunter2@latest:8080", "xxxxx@latest:8080"},

		{"quoted parse error", `"parse \\"https://joe:hunter2/x@p.example.com\\": invalid port \\":hunter2\\" after host"`, `"parse \\"https://xxxxx@p.example.com\\": invalid port \\"xxxxx\\" after host"`},
		{"percent-encoded slash in an encoded URL", "?next=https%3A%2F%2Fjoe%3Ahunter2%252Fx%40p.example.com%2Fm", "?next=https%3A%2F%2Fxxxxx@p.example.com%2Fm"},
		{"slash in an encoded URL", "https%3A%2F%2Fjoe%3Ahunter2%2Fx%40p.example.com", "https%3A%2F%2Fxxxxx@p.example.com"},
		{"slash in a token", "fatal: unable to access 'https://hunter2/hunter2@git.example.com/x/'", "fatal: unable to access 'https://xxxxx@git.example.com/x/'"},
		{"GOAUTH", "go: GOAUTH=off cannot be combined with other authentication commands (GOAUTH=off;my-helper hunter2 --x)", "go: GOAUTH=off cannot be combined with other authentication commands (GOAUTH=off; my-helper xxxxx)"},
		{"GOAUTH list", "GOAUTH=netrc; my-helper hunter2", "GOAUTH=netrc; my-helper xxxxx"},
		{"GOAUTH command", "GOAUTH=my-helper --user joe hunter2: exit status 1", "GOAUTH=my-helper xxxxx: exit status 1"},
		{"GOAUTH output", "cannot parse output of GOAUTH command my-helper hunter2: no blank line", "cannot parse output of GOAUTH command my-helper xxxxx: no blank line"},
		{"encoded query", "https%3A%2F%2Fp.example.com%2F%3Ftoken%3Dhunter2&x=1", "https%3A%2F%2Fp.example.com%2F%3Ftoken%3Dxxxxx&x=1"},
		{"signed query, slashes encoded", "https:%2F%2Fp.example.com%2Fgo%3Fsig=hunter2", "https:%2F%2Fp.example.com%2Fgo%3Fsig=xxxxx"},
		{"quoted value", `token="hunter2" secret='hunter2'`, `token="xxxxx" secret='xxxxx'`},
		{"blanks around the sign", "password = hunter2", "password = xxxxx"},
		{"JSON members", `{"token":"hunter2","client_secret": "hunter2","n":1}`, `{"token":"xxxxx","client_secret": "xxxxx","n":1}`},
		{"JSON in JSON", `{"body":"{\"password\":\"hunter2\"}"}`, `{"body":"{\"password\":\"xxxxx\"}"}`},
		{"token headers", "PRIVATE-TOKEN: hunter2 X-Api-Key: hunter2 X-JFrog-Art-Api: hunter2", "PRIVATE-TOKEN: xxxxx X-Api-Key: xxxxx X-JFrog-Art-Api: xxxxx"},
		{"cookies", "Set-Cookie: a=hunter2; b=hunter2", "Set-Cookie: xxxxx"},
		{"header as Go prints it", "map[Authorization:[Basic aHVudGVyMg==] Date:[x]]", "map[Authorization:[Basic xxxxx] Date:[x]]"},
		{"header as JSON lists", `{"Authorization":["Bearer hunter2"]}`, `{"Authorization":["Bearer xxxxx"]}`},
		{"netrc, other order", "machine p.example.com password hunter2 login joe", "machine p.example.com password xxxxx login joe"},
		{"netrc, account", "machine p.example.com login joe account x password hunter2", "machine p.example.com login joe account x password xxxxx"},
		{"netrc, default", "default login joe password hunter2", "default login joe password xxxxx"},
		{"curl user", "curl -u joe:hunter2 --proxy-user joe:hunter2 -U joe:hunter2 https://p.example.com", "curl -u xxxxx --proxy-user xxxxx -U xxxxx https://p.example.com"},
		{"flags", "--password hunter2 --oauth2-bearer hunter2 --token=hunter2", "--password xxxxx --oauth2-bearer xxxxx --token=xxxxx"},
		{"environment names", "NPM_AUTH=hunter2 GH_PAT=hunter2 DB_PASS=hunter2", "NPM_AUTH=xxxxx GH_PAT=xxxxx DB_PASS=xxxxx"},
		{"scheme-less half", `parse "joe:hunter2": first path segment in URL cannot contain colon`, `parse "joe:xxxxx": first path segment in URL cannot contain colon`},

		{"token as a word of an error", "unexpected token: could not decode", "unexpected token: could not decode"},
		{"module named after secrets", "go: example.com/token: module example.com/token: 404 Not Found", "go: example.com/token: module example.com/token: 404 Not Found"},
		{"one word as a host", "http://goproxy/m/@v/list, http://intranet/example.com/m@v1.2.3", "http://goproxy/m/@v/list, http://intranet/example.com/m@v1.2.3"},
		{"two hops, one word as a host", "http://goproxy,https://joe:hunter2@p.example.com", "http://goproxy,https://xxxxx@p.example.com"},
		{"encoded proxy path", "https%3A%2F%2Fp.example.com%2Fm%2F%40v%2Fv1.0.0.info", "https%3A%2F%2Fp.example.com%2Fm%2F%40v%2Fv1.0.0.info"},

		{"module version", "golang.org/x/text@v0.3.0: zip differs", "golang.org/x/text@v0.3.0: zip differs"},
		{"verifying", "verifying example.com/m@v1.2.3/go.mod: checksum mismatch", "verifying example.com/m@v1.2.3/go.mod: checksum mismatch"},
		{"label before module", "go:example.com/m@v1.2.3", "go:example.com/m@v1.2.3"},
		{"label before branch", "go:example.com/m@master", "go:example.com/m@master"},
		{"pseudo-version", "a/b@v0.0.0-20200101000000-0123456789ab+incompatible.", "a/b@v0.0.0-20200101000000-0123456789ab+incompatible."},
		{"query", "go get example.com/m@latest: module lookup disabled", "go get example.com/m@latest: module lookup disabled"},
		{"branch", "go get example.com/m@master", "go get example.com/m@master"},
		{"extracted tree", "/home/joe/go/pkg/mod/example.com/m@v1.2.3/x.go:12:3: oops", "/home/joe/go/pkg/mod/example.com/m@v1.2.3/x.go:12:3: oops"},
		{"windows path", `C:\Users\joe@corp\go`, `C:\Users\joe@corp\go`},
		{"windows path with slashes", `C:/Users/joe@corp/go`, `C:/Users/joe@corp/go`},
		{"scp-like", "git@github.com:org/repo.git", "git@github.com:org/repo.git"},
		{"address", "mail joe@example.com or mailto:joe@example.com", "mail joe@example.com or mailto:joe@example.com"},
		{"proxy with port and module", "localhost:8080/example.com/m@master", "localhost:8080/example.com/m@master"},
		{"proxy path", "reading https://p.example.com:8080/a/b/@v/v1.0.0.info: 404 Not Found", "reading https://p.example.com:8080/a/b/@v/v1.0.0.info: 404 Not Found"},
		{"proxy latest", "p.example.com:8080/a/b/@latest", "p.example.com:8080/a/b/@latest"},
		{"URL and colon", "see https://example.com: not found", "see https://example.com: not found"},
		{"chain with port", "https://a.example.com:8080,direct", "https://a.example.com:8080,direct"},
		{"ordinary words", "basic authentication failed; login or password wrong", "basic authentication failed; login or password wrong"},
		{"verifier key", "sum.example.com+033de0ae+Ac4zctda0e5eza", "sum.example.com+033de0ae+Ac4zctda0e5eza"},
		{"go.sum hash", "h1:g61tztE5qeGQ89tm6NTjjM9VPIm088od1l6aSorWRWg=", "h1:g61tztE5qeGQ89tm6NTjjM9VPIm088od1l6aSorWRWg="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Text(tt.in); got != tt.want {
				t.Errorf("Text(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestClean(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "go: no such host", "go: no such host"},
		{"letters of the world", "Übung 代理 مرحبا שלום", "Übung 代理 مرحبا שלום"},
		{"lines", "a\r\n\tb\nc", "a b c"},
		{"separators", "a\u2028b\u2029c\u0085d\ve\ff", "a b c d e f"},
		{"colour", "a\x1b[1;31mb\x1b[0mc", "abc"},
		{"colour with colons", "a\x1b[38:2::1:2:3mb", "ab"},
		{"private mode", "a\x1b[?1049hb", "ab"},
		{"title by BEL", "a\x1b]0;owned\x07b", "ab"},
		{"title by ST", "a\x1b]0;owned\x1b\\b", "ab"},
		{"link", "a\x1b]8;;https://evil.example.com\x1b\\b\x1b]8;;\x1b\\c", "abc"},
		{"clipboard", "a\x1b]52;c;aGk=\x07b", "ab"},
		{"string without end stops at the line", "a\x1b]0;owned\nb", "a b"},
		{"string without end", "a\x1bPowned", "a"},
		{"device control", "a\x1bP$q\"p\x1b\\b", "ab"},
		{"APC PM SOS", "a\x1b_x\x1b\\b\x1b^x\x1b\\c\x1bXx\x1b\\d", "abcd"},
		{"C1 CSI", "a\u009b31mb", "ab"},
		{"C1 OSC with C1 ST", "a\u009d0;x\u009cb", "ab"},
		{"raw C1 byte", "a\x9bb", "ab"},
		{"charset", "a\x1b(0b", "ab"},
		{"reset", "a\x1bcb", "ab"},
		{"lone escape", "a\x1b", "a"},
		{"escape in a sequence", "a\x1b[3\x1b[31mb", "ab"},
		{"backspace, bell, NUL, DEL", "a\bb\ac\x00d\x7fe", "abcde"},
		{"bidi", "a\u202eb\u202cc\u2066d\u2069e\u200ef\u200fg\u061ch", "abcdefgh"},
		{"zero width", "a\u200bb\u200cc\u200dd\u2060e\ufefff", "abcdef"},
		{"tags and variation selectors", "a\U000e0041b\ufe0fc\U000e0100d", "abcd"},
		{"invalid UTF-8", "a\xff\xfeb\xc3(c\xed\xa0\x80d", "ab(cd"},
		{"private use", "a\ue0b0b", "ab"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Clean(tt.in); got != tt.want {
				t.Errorf("Clean(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestValue(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"GOPROXY", "https://a:hunter2@a.example.com|b:hunter2@b.example.com,hunter2@c.example.com/x,direct", "https://xxxxx@a.example.com|xxxxx@b.example.com,xxxxx@c.example.com/x,direct"},
		{"GOPROXY", "https://joe:hun,ter2@a.example.com", "https://joe:xxxxx,xxxxx@a.example.com"},
		{"https_proxy", "hunter2@p.example.com:3128", "xxxxx@p.example.com:3128"},
		{"GOSUMDB", "sum.example.com+033de0ae+Ac4z  https://joe:hunter2@sum.example.com", "sum.example.com+033de0ae+Ac4z https://xxxxx@sum.example.com"},
		{"GOPROXY", "joe:hunter2,x@p.example.com", "joe:xxxxx,xxxxx@p.example.com"},
		{"GOAUTH", "netrc;git /home/joe; my-helper --pass hunter2", "netrc; git /home/joe; my-helper xxxxx"},
		{"GOFLAGS", "-mod=mod -ldflags=-Xmain.secret=hunter2", "-mod=mod -ldflags=-Xmain.secret=xxxxx"},
		{"GOPRIVATE", "git.example.com/*,*.corp.example.com", "git.example.com/*,*.corp.example.com"},
		{"GOMODCACHE", "/home/joe/go/pkg/mod", "/home/joe/go/pkg/mod"},
	}
	for _, tt := range tests {
		if got := Value(tt.name, tt.in); got != tt.want {
			t.Errorf("Value(%s, %q)\n got %q\nwant %q", tt.name, tt.in, got, tt.want)
		}
	}
}

// A hostile body must not cost more than a blink: every pattern is linear.
// Eight times the text may take eight times as long; were anything quadratic,
// it would take sixty-four times.
func TestTime(t *testing.T) {
	const size = 2 << 10
	for _, piece := range []string{
		"@", ":", "a:b", "a:b@", "x@v1.2.3", "https://", "https://a:b/", "https://a:b@", "a:1/", "\x1b[", "\x1b]", "%40", "%3a",
		"%25", "a.b/", "?token=", "é", "\xff", "\u202e", "https:\\", "a:b/c.d@", "https%3a", "a", "a:@v1", "eyJ", "login a ", "key=", "authorization:",
	} {
		took := func(size int) time.Duration {
			in := strings.Repeat(piece, size/len(piece))
			start := time.Now()
			Text(in)
			URL(in)
			return time.Since(start)
		}
		// The best of several runs: another process may hold one of them up.
		for try := 1; ; try++ {
			small, large := took(size), took(8*size)
			if large < 250*time.Millisecond || large < 40*small {
				break
			}
			if try == 5 {
				t.Errorf("%q repeated: %v for 2 KiB, %v for 16 KiB", piece, small, large)
				break
			}
		}
	}
}

func BenchmarkText(b *testing.B) {
	for b.Loop() {
		Text(`Get "https://joe:hunter2@proxy.example.com/example.com/m/@v/v1.2.3.info": dial tcp 192.0.2.1:443: connect: connection refused`)
	}
}

func checkSafe(t *testing.T, f, in, out string) {
	t.Helper()
	if !utf8.ValidString(out) {
		t.Fatalf("%s(%q) = %q: invalid UTF-8", f, in, out)
	}
	for _, r := range out {
		if !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) {
			t.Fatalf("%s(%q) = %q: %U in it", f, in, out, r)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31mb\u202e\xff")
	f.Add("\x1b]0;x")
	f.Fuzz(func(t *testing.T, s string) {
		out := Clean(s)
		checkSafe(t, "Clean", s, out)
		if again := Clean(out); again != out {
			t.Fatalf("Clean(%q) = %q, again %q", s, out, again)
		}
	})
}

// FuzzText plants a credential where the go command would take it for one, in
// any surroundings, and looks for it in what comes out.
func FuzzText(f *testing.F) {
	f.Add("Get ", "joe", "/x", "p.example.com")
	f.Add("a@b:", "", "?q", "[::1]:80")
	f.Fuzz(func(t *testing.T, before, user, after, host string) {
		const secret = "Hunter2Hunter2"
		if strings.ContainsAny(user, "/@ %\\") || Clean(user) != user || strings.ContainsAny(host, "/@ %\\?#") || Clean(host) != host || strings.Contains(before+user+after+host, "Hunter") {
			return
		}
		in := before + " https://" + user + ":" + secret + "@" + host + "/" + after
		if Clean(in) != Clean(before)+" https://"+user+":"+secret+"@"+host+"/"+Clean(after) {
			return // an open escape sequence ate a part of it
		}
		for name, fn := range map[string]func(string) string{"Text": Text, "URL": URL, "GOPROXY": func(s string) string { return Value("GOPROXY", s) }} {
			out := fn(in)
			checkSafe(t, name, in, out)
			if strings.Contains(out, secret) {
				t.Fatalf("%s(%q) = %q", name, in, out)
			}
		}
	})
}
