package probe

import (
	"cmp"
	"strings"
	"time"

	"gpx/envctl/chain"
)

// Times after which the go command gives up by itself. They are net/http's and
// the resolver's, because cmd/go/internal/web uses http.DefaultClient, which has
// no time limit of its own for anything else.
const (
	goDialTimeout = 30 * time.Second // net/http.DefaultTransport's Dialer.Timeout
	goTLSTimeout  = 10 * time.Second // net/http.DefaultTransport.TLSHandshakeTimeout
	goDNSTimeout  = 10 * time.Second // two attempts of 5 s (net, resolv.conf defaults)
)

// A ClassInfo is one row of the table of classes: all that gpx ever says about
// a class, wherever it says it.
type ClassInfo struct {
	Class   Class  `json:"class"`
	Layer   Layer  `json:"layer"`   // where it usually shows; Result.Layer says where it did
	Meaning string `json:"meaning"` // what happened, in plain words
	GoDoes  string `json:"go_does"` // what the go command does with it
	Advice  string `json:"advice"`  // what to do about it

	// Failed reports whether the endpoint did not do its job. A not_found is
	// no failure: the endpoint is alive and lacks the one module asked for.
	Failed bool `json:"failed"`

	// GoWaits is how long the go command waits before it has an error, for each
	// request anew: zero is at once. It says nothing for a class where Hangs.
	GoWaits time.Duration `json:"-"`

	// Hangs reports that the go command gets neither an answer nor an error for as
	// long as this lasts: it has no time limit for a response
	// (cmd/go/internal/web/http.go). A probe has one, so a hop that is only slower than
	// that has such a class too.
	Hangs bool `json:"hangs"`
}

// Sentences that many rows share.
const (
	goStopsOrNext = `Fails at once. Before "," the go command stops; before "|" it asks the next hop.`
	goMovesOn     = `Asks the next hop, before "," and before "|". At the end of the chain it stops.`
	goHangs       = `Waits as long as it takes, if need be for ever: the go command has no time limit for an answer, and no separator helps.`
	useAnother    = "Switch to another proxy, or put a healthy one in front."
)

// Classes is the one table of outcome classes, in the order of the layers.
// The probe, the commands, the screen and the documentation read it.
var Classes = []ClassInfo{
	{Class: OK, Layer: LayerContent, Meaning: "It answered, and the answer is right.",
		GoDoes: "Uses it.", Advice: "Nothing to do."},
	{Class: NotFound, Layer: LayerHTTP, Meaning: "It is alive, and does not have this module version (404 or 410).",
		GoDoes: goMovesOn,
		Advice: "Nothing, if a later hop has it. A fresh version can be missing from a public mirror for up to 30 minutes."},
	{Class: MissingFile, Layer: LayerProtocol, Failed: true, Meaning: "The file tree is not there.",
		GoDoes: goMovesOn,
		Advice: "Correct the path, or mount the tree."},

	{Class: ConfigInvalid, Layer: LayerConfig, Failed: true,
		Meaning: "The setting cannot be used: a malformed URL, or credentials in a plain http URL.",
		GoDoes:  `Refuses before it dials. A malformed hop fails every request; credentials on plain http stop before "," and move on before "|".`,
		Advice:  "Correct the value with: gpx use CHAIN"},

	{Class: DNSNotFound, Layer: LayerDNS, Failed: true, Meaning: "The name does not exist in the DNS.",
		GoDoes: goStopsOrNext,
		Advice: "Check the spelling of the host, the search domains and the VPN."},
	{Class: DNSFailure, Layer: LayerDNS, Failed: true, Meaning: "The resolver answered with a failure, or cannot be reached.",
		GoDoes: goStopsOrNext,
		Advice: "Check the resolver (/etc/resolv.conf) and the network connection."},
	{Class: DNSTimeout, Layer: LayerDNS, Failed: true, GoWaits: goDNSTimeout, Meaning: "The resolver does not answer.",
		GoDoes: `Waits about 10 s for every request, then stops before "," and asks the next hop before "|".`,
		Advice: "Check the resolver (/etc/resolv.conf) and the network connection."},

	{Class: Refused, Layer: LayerTCP, Failed: true, Meaning: "The host is there, and nothing listens on the port.",
		GoDoes: goStopsOrNext, Advice: "Start the proxy, or correct the port. " + useAnother},
	{Class: Unreachable, Layer: LayerTCP, Failed: true, Meaning: "There is no way to the host (no route, network down, or dialling is not permitted).",
		GoDoes: goStopsOrNext, Advice: "Check the network connection, the VPN and the firewall."},
	{Class: ConnectTimeout, Layer: LayerTCP, Failed: true, GoWaits: goDialTimeout, Meaning: "The packets vanish: no connection, and no refusal.",
		GoDoes: `Waits 30 s for every request (a small module needs seven), then stops before "," and asks the next hop before "|".`,
		Advice: "Check VPN and firewall. " + useAnother},

	{Class: TLSUntrusted, Layer: LayerTLS, Failed: true, Meaning: "The certificate is signed by nobody this machine trusts: self-signed, a private authority, or someone in between.",
		GoDoes: goStopsOrNext,
		Advice: "If an inspecting proxy of your own is in between, install its authority (SSL_CERT_FILE). GOINSECURE has no effect on proxies."},
	{Class: TLSExpired, Layer: LayerTLS, Failed: true, Meaning: "The certificate has expired or is not valid yet.",
		GoDoes: goStopsOrNext, Advice: "Check the clock of this machine first; then tell the operator. " + useAnother},
	{Class: TLSHostname, Layer: LayerTLS, Failed: true, Meaning: "The certificate is for another host.",
		GoDoes: goStopsOrNext, Advice: "Correct the host in the URL; if it is right, someone may be in between."},
	{Class: TLSHandshake, Layer: LayerTLS, Failed: true, Meaning: "The port does not speak usable TLS (plain http, or no common version).",
		GoDoes: goStopsOrNext, Advice: "Correct scheme or port in the URL."},
	{Class: TLSTimeout, Layer: LayerTLS, Failed: true, GoWaits: goTLSTimeout, Meaning: "Connected, and the TLS handshake gets no answer.",
		GoDoes: `Waits 10 s for every request, then stops before "," and asks the next hop before "|".`,
		Advice: useAnother},

	{Class: Reset, Layer: LayerHTTP, Failed: true, Meaning: "The connection was cut with a reset.",
		GoDoes: goStopsOrNext, Advice: "A firewall or an overloaded proxy does this. " + useAnother},
	{Class: EOF, Layer: LayerHTTP, Failed: true, Meaning: "The connection was closed without an answer.",
		GoDoes: goStopsOrNext, Advice: "The proxy, or a load balancer before it, is broken. " + useAnother},
	{Class: Timeout, Layer: LayerHTTP, Failed: true, Hangs: true, Meaning: "It accepted the request and gave no answer in the time of a probe.",
		GoDoes: goHangs, Advice: "Take it out of the chain: gpx use --best"},
	{Class: Stalled, Layer: LayerHTTP, Failed: true, Hangs: true, Meaning: "It began the answer, and the rest did not come in the time of a probe.",
		GoDoes: goHangs, Advice: "Take it out of the chain: gpx use --best"},
	{Class: Truncated, Layer: LayerHTTP, Failed: true, Meaning: "The answer was cut short.",
		GoDoes: goStopsOrNext, Advice: "A cache or middlebox before it cuts transfers. " + useAnother},
	{Class: AuthRequired, Layer: LayerHTTP, Failed: true, Meaning: "It wants credentials (401, or 407 from a forward proxy).",
		GoDoes: goStopsOrNext,
		Advice: "Add the credentials to netrc or GOAUTH (go help goauth); for a forward proxy to HTTPS_PROXY."},
	{Class: Forbidden, Layer: LayerHTTP, Failed: true, Meaning: "It refuses to serve this (403), or the file may not be read.",
		GoDoes: goStopsOrNext, Advice: "Check the rights of your account; some proxies answer 403 to whole countries. " + useAnother},
	{Class: RateLimited, Layer: LayerHTTP, Failed: true, Meaning: "Too many requests (429).",
		GoDoes: goStopsOrNext, Advice: "Wait, or share a proxy of your own. " + useAnother},
	{Class: ClientError, Layer: LayerHTTP, Failed: true, Meaning: "It rejects the request (another 4xx, or an answer that is not 200).",
		GoDoes: goStopsOrNext, Advice: "Check the path in the URL: is this the base of a module proxy?"},
	{Class: ServerError, Layer: LayerHTTP, Failed: true, Meaning: "It is broken inside, or its upstream is (5xx).",
		GoDoes: goStopsOrNext, Advice: useAnother},
	{Class: RedirectLoop, Layer: LayerHTTP, Failed: true, Meaning: "It redirects more than 10 times.",
		GoDoes: goStopsOrNext, Advice: "Correct the URL; a log-in page in between can do this too."},
	{Class: RedirectInsecure, Layer: LayerHTTP, Failed: true, Meaning: "It redirects from https to plain http.",
		GoDoes: goStopsOrNext, Advice: "The go command refuses that. Tell the operator. " + useAnother},

	{Class: CaptivePortal, Layer: LayerProtocol, Failed: true, Meaning: "A web page came instead of module data: a log-in portal or an error page with status 200.",
		GoDoes: goStopsOrNext + " A page that answers /supported makes it choose this route for the checksum database, which then fails.",
		Advice: "Open a browser and log in to the network, or check the path in the URL."},
	{Class: ProtocolInvalid, Layer: LayerProtocol, Failed: true, Meaning: "The answer is not what the module proxy protocol says.",
		GoDoes: goStopsOrNext, Advice: "Check the path in the URL: is this the base of a module proxy? " + useAnother},
	{Class: TooLarge, Layer: LayerProtocol, Failed: true, Hangs: true, Meaning: "The answer does not end, or is far larger than such a file can be.",
		GoDoes: "Reads on until the answer ends or memory does: it has no limit but that of a zip (500 MB).",
		Advice: useAnother},

	{Class: ChecksumMismatch, Layer: LayerContent, Failed: true, Meaning: "The bytes are not those that go.sum or the checksum database knows.",
		GoDoes: `Reports a security error and stops: go.sum's word is final, and a zip is checked after all hops were asked. Only a .mod that the checksum database contradicts, and a transfer cut short, make it ask the next hop silently, before "|".`,
		Advice: "Never switch checks off for this. " + useAnother},

	{Class: SumDBUnavailable, Layer: LayerSumDB, Failed: true, Meaning: "The checksum database cannot be reached by the route that the go command takes.",
		GoDoes: "Modules without a go.sum line fail; what go.sum knows still builds.",
		Advice: "Use a proxy that serves the checksum database, or GOSUMDB=sum.golang.google.cn, or for a while: gpx sumdb off --for 1h"},
	{Class: SumDBUntrusted, Layer: LayerSumDB, Failed: true, Meaning: "The checksum database's answer is not signed by its key, or contradicts what it signed.",
		GoDoes: "Refuses the module, and does not ask another route; where two signed answers contradict each other, with a security error.",
		Advice: "Someone may be tampering. Do not switch checks off; use another network or proxy."},

	{Class: ForwardProxyDown, Layer: LayerTCP, Failed: true, Meaning: "The forward proxy of HTTPS_PROXY or HTTP_PROXY does not let the connection through.",
		GoDoes: goStopsOrNext, Advice: "Start the forward proxy, or unset HTTPS_PROXY in the shell; NO_PROXY names hosts that go around it."},

	{Class: ClassUnknown, Layer: LayerConfig, Meaning: "Not probed yet.", GoDoes: "Unknown.", Advice: "Probe it: gpx probe URL"},
}

var classIndex = func() map[Class]ClassInfo {
	m := make(map[Class]ClassInfo, len(Classes))
	for _, info := range Classes {
		m[info.Class] = info
	}
	return m
}()

// Info returns the row of the table for c; for a class that is not in it, the
// row of [ClassUnknown].
func (c Class) Info() ClassInfo {
	if info, ok := classIndex[c]; ok {
		return info
	}
	return classIndex[ClassUnknown]
}

// Words is c as people read it: "connect timeout", "TLS untrusted". The name
// itself is for JSON.
func (c Class) Words() string {
	words := strings.Split(string(cmp.Or(c, ClassUnknown)), "_")
	for i, w := range words {
		switch w {
		case "dns", "tls", "eof":
			words[i] = strings.ToUpper(w)
		}
	}
	return strings.Join(words, " ")
}

// Failed reports whether c says that the endpoint did not do its job. OK,
// NotFound and ClassUnknown are not failures.
func (c Class) Failed() bool { return c.Info().Failed }

// Action returns what the go command does when a request to a proxy or file hop
// ends in class c and the hop is followed by sep
// (cmd/go/internal/modfetch/proxy.go, TryProxies). For the hops of a whole chain,
// "direct" and "off" among them, there is gpx/probe/route.GoWill.
func (c Class) Action(sep chain.Separator) Action {
	info := c.Info()
	switch {
	case c == OK:
		return Serve
	case info.Class == ClassUnknown:
		return ActionUnknown
	case info.Hangs:
		return Hang
	case sep == chain.Last:
		return Stop
	case c == NotFound || c == MissingFile:
		return Next
	case sep == chain.Pipe:
		return Next
	default:
		return Stop
	}
}
