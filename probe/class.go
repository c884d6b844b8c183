package probe

// A Class is the outcome of a probe.
type Class string

// The classes. What each means, what the go command does with it and what to
// do about it stand in [Classes].
const (
	OK               Class = "ok"
	NotFound         Class = "not_found"
	ConfigInvalid    Class = "config_invalid"
	DNSNotFound      Class = "dns_not_found"
	DNSFailure       Class = "dns_failure"
	DNSTimeout       Class = "dns_timeout"
	Refused          Class = "refused"
	Unreachable      Class = "unreachable"
	ConnectTimeout   Class = "connect_timeout"
	TLSUntrusted     Class = "tls_untrusted"
	TLSExpired       Class = "tls_expired"
	TLSHostname      Class = "tls_hostname"
	TLSHandshake     Class = "tls_handshake"
	TLSTimeout       Class = "tls_timeout"
	Reset            Class = "reset"
	EOF              Class = "eof"
	Timeout          Class = "timeout"
	Stalled          Class = "stalled"
	Truncated        Class = "truncated"
	AuthRequired     Class = "auth_required"
	Forbidden        Class = "forbidden"
	RateLimited      Class = "rate_limited"
	ClientError      Class = "client_error"
	ServerError      Class = "server_error"
	RedirectLoop     Class = "redirect_loop"
	RedirectInsecure Class = "redirect_insecure"
	CaptivePortal    Class = "captive_portal"
	ProtocolInvalid  Class = "protocol_invalid"
	TooLarge         Class = "too_large"
	ChecksumMismatch Class = "checksum_mismatch"
	SumDBUnavailable Class = "sumdb_unavailable"
	SumDBUntrusted   Class = "sumdb_untrusted"
	ForwardProxyDown Class = "forward_proxy_down"
	MissingFile      Class = "missing_file"
	ClassUnknown     Class = "unknown" // not probed yet
)

// A Layer is the step of a probe that decided its class.
type Layer string

// The layers, in the order a probe goes through them.
const (
	LayerConfig   Layer = "configuration"
	LayerDNS      Layer = "dns"
	LayerTCP      Layer = "tcp"
	LayerTLS      Layer = "tls"
	LayerHTTP     Layer = "http"
	LayerProtocol Layer = "protocol"
	LayerContent  Layer = "content"
	LayerSumDB    Layer = "checksum database"
)

// An Action is what the go command does at one hop for one request.
type Action string

// The actions; a hop's go_will and a route's steps share them.
const (
	Serve         Action = "serve"
	Next          Action = "next"
	Stop          Action = "stop"
	Hang          Action = "hang"
	GoDirect      Action = "direct"
	GoOff         Action = "off"
	ActionUnknown Action = "unknown"
)
