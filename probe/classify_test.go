package probe

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSystemErrors maps the errors that connect(2) really returns.
func TestSystemErrors(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]Class{
		syscall.ECONNREFUSED:  Refused,
		syscall.ENETUNREACH:   Unreachable,
		syscall.EHOSTUNREACH:  Unreachable,
		syscall.EACCES:        Unreachable,
		syscall.EPERM:         Unreachable,
		syscall.EADDRNOTAVAIL: Unreachable,
		syscall.ETIMEDOUT:     ConnectTimeout,
		syscall.ECONNRESET:    Reset,
	} {
		err := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
		wrapped := &url.Error{Op: "Get", URL: "https://u:p@h", Err: err}
		f := classify(t.Context(), wrapped, progress{stage: stTCP}, nil)
		if f.class != want || f.layer != LayerTCP || strings.Contains(f.detail, "https://") {
			t.Errorf("%v: %+v, want %s", errno, f, want)
		}
		forward := classify(t.Context(), &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err}, progress{stage: stTCP}, &url.URL{Host: "f:1"})
		if forward.class != ForwardProxyDown || forward.layer != LayerTCP {
			t.Errorf("%v through a forward proxy: %+v", errno, forward)
		}
	}
}

// TestTimeIsUp: the stage alone says what an attempt was waiting for.
func TestTimeIsUp(t *testing.T) {
	t.Parallel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for stage, want := range map[stage]Class{
		stIdle: ClassUnknown, stDNS: DNSTimeout, stTCP: ConnectTimeout, stDialed: Timeout, stTLS: TLSTimeout,
		stWriting: Timeout, stWaiting: Timeout, stHeaders: Stalled, stBody: Stalled,
	} {
		if f := classify(late, context.DeadlineExceeded, progress{stage: stage}, nil); f.class != want {
			t.Errorf("stage %d: got %s, want %s", stage, f.class, want)
		}
	}
	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	if f := classify(given, context.Canceled, progress{stage: stTCP}, nil); f.class != ClassUnknown {
		t.Errorf("given up: %+v", f)
	}
}

func TestGitSays(t *testing.T) {
	t.Parallel()
	for stderr, want := range map[string]Class{
		"fatal: unable to access 'https://h/': Could not resolve host: h":                                                 DNSNotFound,
		"fatal: unable to access 'https://h/': Failed to connect to h port 443 after 1 ms: Connection refused":            Refused,
		"fatal: unable to access 'https://h/': Failed to connect to h port 443: Connection timed out":                     ConnectTimeout,
		"fatal: unable to access 'https://h/': Failed to connect to h port 443: No route to host":                         Unreachable,
		"fatal: unable to access 'https://h/': SSL certificate problem: certificate has expired":                          TLSExpired,
		"fatal: unable to access 'https://h/': SSL: no alternative certificate subject name matches target host name 'h'": TLSHostname,
		"fatal: unable to access 'https://h/': SSL certificate problem: self-signed certificate":                          TLSUntrusted,
		"fatal: unable to access 'https://h/': server certificate verification failed. CAfile: none CRLfile: none":        TLSUntrusted,
		"fatal: unable to access 'https://h/': gnutls_handshake() failed: An unexpected TLS packet was received.":         TLSHandshake,
		"fatal: unable to access 'https://h/': Recv failure: Connection reset by peer":                                    Reset,
		"fatal: unable to access 'https://h/': Empty reply from server":                                                   EOF,
		"fatal: unable to access 'https://h/': Received HTTP code 407 from proxy after CONNECT":                           ForwardProxyDown,
		"fatal: could not read Username for 'https://h': terminal prompts disabled":                                       AuthRequired,
		"git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.":                            AuthRequired,
		"Host key verification failed.\nfatal: Could not read from remote repository.":                                    TLSUntrusted,
		"ssh: Could not resolve hostname h: Name or service not known\nfatal: Could not read from remote repository.":     DNSNotFound,
		"remote: Repository not found.\nfatal: repository 'https://h/x/' not found":                                       NotFound,
		"fatal: unable to access 'https://h/': The requested URL returned error: 403":                                     Forbidden,
		"fatal: unable to access 'https://h/': The requested URL returned error: 502":                                     ServerError,
		"fatal: transport 'ext' not allowed":                                                                              ConfigInvalid,
		"something new":                                                                                                   ProtocolInvalid,
	} {
		if f := classifyGit(stderr); f.class != want || f.detail == "" {
			t.Errorf("%s\n\tgot %s, want %s", stderr, f.class, want)
		}
	}
}

func TestReplaceSecret(t *testing.T) {
	t.Parallel()
	for _, test := range [][3]string{
		{"token abcd1234 here", "abcd1234", "token xxxxx here"},
		{"abcd1234abcd1234", "abcd1234", "xxxxxxxxxx"},
		{"a cat sat; a", "a", "xxxxx cat sat; xxxxx"},
		{"pw=ab", "ab", "pw=xxxxx"},
		{"about ab", "ab", "about xxxxx"},
		{"unchanged", "", "unchanged"},
	} {
		if got := replaceSecret(test[0], test[1]); got != test[2] {
			t.Errorf("replaceSecret(%q, %q) = %q, want %q", test[0], test[1], got, test[2])
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-3": 0, "soon": 0, "99999999999": 24 * time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2025 03:05:05 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

func TestSplitQuoted(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a b":               "[a b]",
		` a  "b c"  'd"e' `: `[a b c d"e]`,
		`a "b`:              "unterminated \" quote",
		"":                  "[]",
	} {
		words, err := splitQuoted(in)
		got := fmt.Sprint(words)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestParseCredentials(t *testing.T) {
	t.Parallel()
	found, err := parseCredentials("https://a.example.com\nhttps://b.example.com/x/\n\nAuthorization: Basic eA==\nX-Other:  1\n\nhttps://c.example.com\n\n\n")
	if err != nil || len(found) != 3 {
		t.Fatalf("%v, %v", found, err)
	}
	if h := found["https://b.example.com/x/"]; h.Get("Authorization") != "Basic eA==" || h.Get("X-Other") != "1" {
		t.Errorf("%v", h)
	}
	if h, ok := found["https://c.example.com"]; !ok || len(h) != 0 { // removes what was known
		t.Errorf("%v", h)
	}
	for _, bad := range []string{"https://a", "https://a\n", "https://a\n\nA: b", "not a url\n\nA: b\n\n", "https://a\n\nno colon\n\n", "https://a\n\nA b: c\n\n"} {
		if found, err := parseCredentials(bad); err == nil {
			t.Errorf("%q: %v", bad, found)
		}
	}
}

func TestParseForward(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"proxy.corp:3128":          "http://proxy.corp:3128",
		"http://proxy.corp":        "http://proxy.corp",
		"socks5://127.0.0.1:1080":  "socks5://127.0.0.1:1080",
		"https://u:p@proxy.corp:1": "https://u:p@proxy.corp:1",
	} {
		u, err := parseForward(raw)
		if err != nil || u.String() != want {
			t.Errorf("%s: %v, %v", raw, u, err)
		}
	}
	if _, err := parseForward("http://[::1"); err == nil {
		t.Error("a malformed URL is accepted")
	}
}
