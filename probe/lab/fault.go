package lab

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gpx/probe"
)

// A Mode is what a server does wrong.
type Mode string

// The modes. Those up to ModeTLSSilent concern the whole server; a [Step] that
// has Only or a fault that has Every cannot close a port for some requests, so
// there ModeRefuse acts as ModeReset and the packet-dropping and TLS modes act
// as ModeHang.
const (
	ModeOK        Mode = "ok"
	ModeRefuse    Mode = "refuse"    // the port is closed; open connections are reset
	ModeBlackhole Mode = "blackhole" // packets are dropped: connects time out, requests in flight get nothing

	ModeTLSSelfSigned Mode = "tls-self-signed"
	ModeTLSUntrusted  Mode = "tls-untrusted" // signed by an authority that nobody knows, as by an intercepting proxy
	ModeTLSExpired    Mode = "tls-expired"
	ModeTLSWrongHost  Mode = "tls-wrong-host"
	ModeTLSOld        Mode = "tls-old"        // speaks nothing newer than TLS 1.1
	ModeTLSPlainHTTP  Mode = "tls-plain-http" // plain HTTP on the TLS port
	ModeTLSGarbage    Mode = "tls-garbage"    // neither TLS nor HTTP
	ModeTLSSilent     Mode = "tls-silent"     // accepts, never answers the ClientHello

	ModeHang      Mode = "hang"  // reads the request, never answers
	ModeStall     Mode = "stall" // headers and Bytes of the body, then silence
	ModeSlow      Mode = "slow"  // answers rightly after Delay
	ModeReset     Mode = "reset" // RST instead of an answer
	ModeEOF       Mode = "eof"   // FIN instead of an answer
	ModeStatus    Mode = "status"
	ModeAuth      Mode = "auth"    // 401 unless User and Password come as basic credentials
	ModeCaptive   Mode = "captive" // 200 and an HTML login page for everything
	ModeEndless   Mode = "endless" // 200 and a body without end
	ModeGarbage   Mode = "garbage" // something that is not HTTP
	ModeRedirect  Mode = "redirect-loop"
	ModeDowngrade Mode = "redirect-insecure" // to the same path on http://

	ModeTruncated    Mode = "truncated"     // Content-Length of the whole, half of the bytes
	ModeShort        Mode = "short"         // half of the bytes, and a Content-Length that agrees
	ModeWrongZip     Mode = "wrong-zip"     // a sound zip with other bytes
	ModeZipNames     Mode = "zip-names"     // a zip with names outside its module
	ModeWrongVersion Mode = "wrong-version" // .info and @latest name another version
	ModeNotJSON      Mode = "not-json"      // .info and @latest are no JSON
	ModeWrongMod     Mode = "wrong-mod"     // .mod has one more line

	ModeNoSumDB      Mode = "no-sumdb"      // Status for everything under /sumdb/
	ModeSumDBCaptive Mode = "sumdb-captive" // 200 for supported, HTML for what follows
	ModeBadTile      Mode = "bad-tile"      // tiles with a bit flipped
	ModeBadRecord    Mode = "bad-record"    // lookups with another hash in the record
	ModeBadSignature Mode = "bad-signature" // heads whose signature does not verify
	ModeOtherKey     Mode = "other-key"     // heads signed by a key that the client does not know
)

// A Fault is what a server does wrong, with its parameters. The zero Fault is
// no fault. Values come from the constructors below ([Refuse], [Status], …).
type Fault struct {
	Mode Mode

	Status      int           // ModeStatus, ModeNoSumDB
	Body        string        // ModeStatus; "" means the status text
	ContentType string        // ModeStatus; "" means text/plain
	Header      http.Header   // ModeStatus: added to the answer
	Delay       time.Duration // ModeSlow
	Bytes       int           // ModeStall: how much of the body is sent first, < 0 means half; ModeSlow: bytes a second, 0 means no limit
	User        string        // ModeAuth
	Password    string        // ModeAuth

	// Every makes the fault hit only each Every-th request of the server,
	// counted from the first; 0 and 1 mean all.
	Every int
}

// String names the fault for logs and demos; never its credentials.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(string(f.mode()))
	switch f.mode() {
	case ModeStatus, ModeNoSumDB:
		fmt.Fprintf(&b, " %d", f.Status)
	case ModeSlow:
		fmt.Fprintf(&b, " %v", f.Delay)
	}
	if f.Every > 1 {
		fmt.Fprintf(&b, " (1 of %d)", f.Every)
	}
	return b.String()
}

func (f Fault) mode() Mode {
	if f.Mode == "" {
		return ModeOK
	}
	return f.Mode
}

// OneIn returns f hitting only each n-th request, from the first on.
func (f Fault) OneIn(n int) Fault { f.Every = n; return f }

// Of returns a fault of a mode that needs no parameters.
func Of(m Mode) Fault { return Fault{Mode: m} }

// The faults by name. Each returns a new value.

func OK() Fault        { return Of(ModeOK) }        // OK is no fault.
func Refuse() Fault    { return Of(ModeRefuse) }    // Refuse closes the port.
func Blackhole() Fault { return Of(ModeBlackhole) } // Blackhole drops packets.
func Hang() Fault      { return Of(ModeHang) }      // Hang never answers.
func Reset() Fault     { return Of(ModeReset) }     // Reset sends RST.
func EOF() Fault       { return Of(ModeEOF) }       // EOF closes without an answer.
func Captive() Fault   { return Of(ModeCaptive) }   // Captive answers everything with a login page.

// Stall sends the headers and n bytes of the body (half of it when n < 0), then
// nothing more.
func Stall(n int) Fault { return Fault{Mode: ModeStall, Bytes: n} }

// Slow answers rightly, d late.
func Slow(d time.Duration) Fault { return Fault{Mode: ModeSlow, Delay: d} }

// Trickle answers at once, and sends the body at a rate of bytes a second.
func Trickle(rate int) Fault { return Fault{Mode: ModeSlow, Bytes: rate} }

// Status answers with a status and a text/plain body; an empty body means the
// status text.
func Status(code int, body string) Fault {
	return Fault{Mode: ModeStatus, Status: code, Body: body}
}

// HTML answers with a status and a text/html body.
func HTML(code int, body string) Fault {
	return Fault{Mode: ModeStatus, Status: code, Body: body, ContentType: "text/html; charset=utf-8"}
}

// RateLimited answers 429 with a Retry-After of whole seconds.
func RateLimited(after time.Duration) Fault {
	f := Status(http.StatusTooManyRequests, "")
	f.Header = http.Header{"Retry-After": {fmt.Sprint(int(after / time.Second))}}
	return f
}

// Auth answers 401 to whoever does not send these basic credentials.
func Auth(user, password string) Fault {
	return Fault{Mode: ModeAuth, User: user, Password: password}
}

// NoSumDB answers everything under /sumdb/ with a status (404 and 410 are how a
// proxy says that it does not serve the database).
func NoSumDB(code int) Fault { return Fault{Mode: ModeNoSumDB, Status: code} }

// Hostile answers 502 with a body that tries to write to the terminal: escape
// sequences, an OSC 52 clipboard write, bidi controls, a bell.
func Hostile() Fault {
	return Status(http.StatusBadGateway,
		"\x1b[2J\x1b[31mowned\x1b[0m \x1b]52;c;Z3B4\x07 \u202egnp.exe\u202c \u2066iso\u2069 zero\u200bwidth \a\x9b1mC1 \x7f end")
}

// A Step is one entry of a schedule.
type Step struct {
	// From is the instant at which the step begins, counted from the moment the
	// server was given the schedule.
	From  time.Duration
	Fault Fault
	// Only limits the step to these kinds of request; empty means all.
	Only []probe.File
}

// A Schedule says what a server does wrong and when. At any instant a request is
// answered by the last step that has begun and covers its kind; where none has,
// rightly. Steps stand in the order of From.
type Schedule []Step

// Always is the schedule of one fault that never changes, for some kinds of
// request or (none given) for all.
func Always(f Fault, only ...probe.File) Schedule {
	return Schedule{{Fault: f, Only: only}}
}

// After is a healthy server that gets a fault after d.
func After(d time.Duration, f Fault, only ...probe.File) Schedule {
	return Schedule{{From: d, Fault: f, Only: only}}
}

// Then returns the schedule with one more step.
func (s Schedule) Then(from time.Duration, f Fault, only ...probe.File) Schedule {
	return append(slices.Clip(s), Step{From: from, Fault: f, Only: only})
}

// at returns the fault for one kind of request at an age of the schedule, and
// whether it comes from a step that covers every kind.
func (s Schedule) at(age time.Duration, kind probe.File) (f Fault, whole bool) {
	for _, step := range slices.Backward(s) {
		if step.From > age {
			continue
		}
		if len(step.Only) == 0 {
			return step.Fault, true
		}
		if slices.Contains(step.Only, kind) {
			return step.Fault, false
		}
	}
	return Fault{}, true
}

// server returns the fault of the whole server at an age: the last begun step
// that covers every kind of request.
func (s Schedule) server(age time.Duration) Fault {
	for _, step := range slices.Backward(s) {
		if step.From <= age && len(step.Only) == 0 {
			return step.Fault
		}
	}
	return Fault{}
}

// next returns how long after age the schedule changes, or false when it never
// does again.
func (s Schedule) next(age time.Duration) (time.Duration, bool) {
	var best time.Duration
	found := false
	for _, step := range s {
		if step.From > age && (!found || step.From-age < best) {
			best, found = step.From-age, true
		}
	}
	return best, found
}
