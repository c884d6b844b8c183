package probe

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A finding is a class with the layer that decided it and what was seen there.
type finding struct {
	class  Class
	layer  Layer
	detail string
}

// Errors of our own, so that what happened is known by type.
var (
	errInsecureRedirect = errors.New("redirected from https to http, which the go command refuses")
	errRedirects        = errors.New("too many redirects")
)

// classify names the outcome of an exchange that ended with an error. What
// counts is, in this order: whether the caller gave up, whether time was up (then
// the stage says what was waited for), the forward proxy in between, and the type
// of the error.
func classify(ctx context.Context, err error, at progress, forward *url.URL) finding {
	text := message(err)
	if errors.Is(ctx.Err(), context.Canceled) {
		return finding{ClassUnknown, LayerConfig, "the probe was given up"}
	}
	if at.retried && ctx.Err() != nil {
		// An HTTP/2 server that refuses every request with a GOAWAY is asked for
		// ever, on new connections; where the last one was tells nothing.
		return finding{Timeout, LayerHTTP, "asked again and again, no answer in time"}
	}
	if forward != nil && !at.tunnel && at.stage != stIdle {
		return classifyForward(ctx, err, at, forward)
	}
	if ctx.Err() != nil {
		return waitingFor(at.stage)
	}
	switch {
	case errors.Is(err, errInsecureRedirect):
		return finding{RedirectInsecure, LayerHTTP, text}
	case errors.Is(err, errInward):
		return finding{ProtocolInvalid, LayerHTTP, text}
	case errors.Is(err, errRedirects):
		return finding{RedirectLoop, LayerHTTP, text}
	}
	if f, ok := classifyDial(err, at.stage); ok {
		return f
	}
	if at.stage == stTLS {
		return classifyTLS(err)
	}
	return classifyHTTP(err, at)
}

// waitingFor is the class of an exchange whose time was up in stage s.
func waitingFor(s stage) finding {
	switch s {
	case stIdle:
		return finding{ClassUnknown, LayerConfig, "there was no time to begin"}
	case stDNS:
		return finding{DNSTimeout, LayerDNS, "no answer from the resolver in time"}
	case stTCP:
		return finding{ConnectTimeout, LayerTCP, "no connection in time"}
	case stTLS:
		return finding{TLSTimeout, LayerTLS, "connected, no TLS handshake in time"}
	case stHeaders, stBody:
		return finding{Stalled, LayerHTTP, "the answer began and did not end in time"}
	default:
		return finding{Timeout, LayerHTTP, "connected, no answer in time"}
	}
}

// classifyDial names the errors of DNS and TCP.
func classifyDial(err error, s stage) (finding, bool) {
	text := message(err)
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		switch {
		case dns.IsNotFound:
			return finding{DNSNotFound, LayerDNS, text}, true
		case dns.IsTimeout:
			return finding{DNSTimeout, LayerDNS, text}, true
		default:
			return finding{DNSFailure, LayerDNS, text}, true
		}
	}
	if addr := (*net.AddrError)(nil); errors.As(err, &addr) {
		return finding{ConfigInvalid, LayerConfig, text}, true
	}
	op := (*net.OpError)(nil)
	for dial := err; ; dial = op.Err {
		if !errors.As(dial, &op) {
			return finding{}, false
		}
		if op.Op == "dial" { // inside a "proxyconnect", for a forward proxy
			break
		}
	}
	switch {
	case isErrno(err, errnoRefused):
		return finding{Refused, LayerTCP, text}, true
	case isErrno(err, errnoUnreachable):
		return finding{Unreachable, LayerTCP, text}, true
	case isErrno(err, errnoReset):
		return finding{Reset, LayerTCP, text}, true
	case isErrno(err, errnoTimeout), op.Timeout():
		return finding{ConnectTimeout, LayerTCP, text}, true
	default:
		return finding{Unreachable, LayerTCP, text}, true
	}
}

// classifyTLS names the errors of a handshake.
func classifyTLS(err error) finding {
	f := finding{layer: LayerTLS, detail: message(err)}
	var (
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		cert    *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &host):
		f.class = TLSHostname
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		f.class = TLSExpired
	case errors.As(err, &cert):
		f.class = TLSUntrusted
	case isErrno(err, errnoReset):
		f.class = Reset
	case isErrno(err, errnoTimeout):
		f.class = TLSTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.class = EOF
	default:
		f.class = TLSHandshake
	}
	return f
}

// classifyHTTP names the errors after the connection stood.
func classifyHTTP(err error, at progress) finding {
	f := finding{layer: LayerHTTP, detail: message(err)}
	var stream streamError
	switch {
	case at.stage == stIdle && !at.answered:
		// net/http refused to send it: no host, a port that is none.
		f.class, f.layer = ConfigInvalid, LayerConfig
	case errors.Is(err, http.ErrSchemeMismatch):
		f.class, f.layer = TLSHandshake, LayerTLS
	case isErrno(err, errnoReset), errors.As(err, &stream):
		f.class = Reset
	case isErrno(err, errnoTimeout):
		f.class = Timeout
	case isUnpack(err):
		f.class = ProtocolInvalid
	case errors.Is(err, io.ErrUnexpectedEOF) && at.stage == stBody:
		f.class = Truncated
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.class = EOF
	default:
		// Not HTTP, or broken HTTP: net/http's errors for that have no types.
		f.class = ProtocolInvalid
	}
	return f
}

// isUnpack reports an error of transparent decompression.
func isUnpack(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt)
}

// A streamError is what net/http's HTTP/2 makes of a RST_STREAM: its unexported
// type fills any struct with these fields in errors.As.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "stream reset" }

// classifyForward names what went wrong between this machine and the tunnel
// through a forward proxy.
func classifyForward(ctx context.Context, err error, at progress, forward *url.URL) finding {
	who := "forward proxy " + forward.Host
	if at.connect != 0 {
		f := statusFinding(at.connect)
		f.detail = who + " is listening, and answers CONNECT with " + statusText(at.connect)
		return f
	}
	down := func(l Layer, what string) finding {
		return finding{ForwardProxyDown, l, who + ": " + what}
	}
	if ctx.Err() != nil {
		switch at.stage {
		case stDNS:
			return down(LayerDNS, "no answer from the resolver in time")
		case stTCP:
			return down(LayerTCP, "no connection in time")
		case stTLS:
			return down(LayerTLS, "is listening, no TLS handshake in time")
		default:
			return down(LayerHTTP, "is listening, no answer to CONNECT in time")
		}
	}
	if f, ok := classifyDial(err, at.stage); ok {
		switch f.class {
		case Refused:
			return down(f.layer, "nothing is listening on its port (connection refused)")
		default:
			return down(f.layer, f.detail)
		}
	}
	if at.stage == stTLS {
		return down(LayerTLS, message(err))
	}
	return down(LayerHTTP, "is listening, and breaks off: "+message(err))
}

// statusFinding is the class of an HTTP status other than 200.
func statusFinding(status int) finding {
	f := finding{layer: LayerHTTP, detail: statusText(status)}
	switch {
	case status == http.StatusNotFound, status == http.StatusGone:
		f.class = NotFound
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired:
		f.class = AuthRequired
	case status == http.StatusForbidden:
		f.class = Forbidden
	case status == http.StatusTooManyRequests:
		f.class = RateLimited
	case status == http.StatusNetworkAuthenticationRequired:
		f.class = CaptivePortal // 511 exists for nothing else (RFC 6585, section 6)
	case status >= 500:
		f.class = ServerError
	default:
		f.class = ClientError
	}
	return f
}

// isErrno reports whether err is one of the system's errors in list.
func isErrno(err error, list []error) bool {
	return slices.ContainsFunc(list, func(e error) bool { return errors.Is(err, e) })
}

// message is an error's text without the URL that net/http puts around it: the
// result names the endpoint already, redacted.
func message(err error) string {
	if err == nil {
		return ""
	}
	var u *url.Error
	for errors.As(err, &u) && u.Err != nil {
		err = u.Err
	}
	return strings.TrimPrefix(err.Error(), "net/http: ")
}
