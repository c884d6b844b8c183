package probe

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"syscall"

	"gpx/envctl/redact"
)

// WithGuardedRedirects follows no redirect by which a host outside leads into this
// machine or its network. The go command follows those too, and for the user alone
// that tells nobody anything new. But who asks on behalf of other machines would
// let any of them read, by the hand of whoever answers outside, what listens on
// loopback and trusts who asks there: services without a password, the metadata of
// a cloud. A host that is inside itself may redirect to where it likes: company
// proxies do.
func WithGuardedRedirects() Option { return func(p *Prober) { p.guarded = true } }

var errInward = errors.New("redirected from outside into this machine's network, which is not followed for other machines")

// guard judges a redirect by what is known before it is followed, and notes for
// the dial what is to be judged there: where the names lead.
func (s *session) guard(req *http.Request, via []*http.Request) error {
	t, ok := req.Context().Value(trackerKey{}).(*tracker)
	if !s.p.guarded || !ok {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(via) == 1 {
		forward, _ := s.forward(via[0].URL)
		t.outside = !inward(via[0].URL.Hostname()) && (forward != nil || !inwardAddr(t.remote))
	}
	forward, _ := s.forward(req.URL)
	t.guarding = t.outside && forward == nil // else the dial is that of the forward proxy
	if t.outside && inward(req.URL.Hostname()) {
		return fmt.Errorf("%w: %s", errInward, redact.URL(req.URL.String()))
	}
	return nil
}

// control refuses to dial into the network after a redirect from outside.
func (t *tracker) control(_, addr string, _ syscall.RawConn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.guarding && inwardAddr(addr) {
		return errInward
	}
	return nil
}

// inwardAddr is inward for HOST:PORT.
func inwardAddr(addr string) bool {
	ap, err := netip.ParseAddrPort(addr)
	return err == nil && inwardIP(ap.Addr())
}

// inward reports whether a host is, by its name alone, this machine or one that
// only its network reaches.
func inward(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && inwardIP(ip)
}

// carrierNAT are addresses that providers and overlay networks use inside
// (RFC 6598).
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

func inwardIP(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() || carrierNAT.Contains(ip)
}
