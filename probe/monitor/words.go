package monitor

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gpx/envctl/env"
	"gpx/probe"
)

// headlineColumns is what the narrowest screen has.
const headlineColumns = 80

// does says what an endpoint of that class does, as the predicate of a
// sentence whose subject is its name.
func does(e EndpointFact) string {
	switch e.Class {
	case probe.OK:
		return "works"
	case probe.NotFound:
		return "lacks the module"
	case probe.MissingFile:
		return "is not there"
	case probe.ConfigInvalid:
		return "cannot be used as it is set"
	case probe.DNSNotFound:
		return "is unknown to the DNS"
	case probe.DNSFailure, probe.DNSTimeout:
		return "cannot be resolved"
	case probe.Refused:
		return "refuses connections"
	case probe.Unreachable:
		return "cannot be reached"
	case probe.ConnectTimeout:
		return "drops packets"
	case probe.TLSUntrusted:
		return "has an untrusted certificate"
	case probe.TLSExpired:
		return "has an expired certificate"
	case probe.TLSHostname:
		return "has another host's certificate"
	case probe.TLSHandshake:
		return "fails in TLS"
	case probe.TLSTimeout:
		return "is silent in TLS"
	case probe.Reset:
		return "resets connections"
	case probe.EOF:
		return "closes connections unanswered"
	case probe.Timeout:
		return "hangs"
	case probe.Stalled:
		return "stalls in mid-answer"
	case probe.Truncated:
		return "cuts its answers short"
	case probe.TooLarge:
		return "never stops sending"
	case probe.AuthRequired:
		return "wants credentials"
	case probe.Forbidden, probe.RateLimited, probe.ClientError, probe.ServerError:
		return "answers " + status(e)
	case probe.RedirectLoop:
		return "redirects in a circle"
	case probe.RedirectInsecure:
		return "redirects to plain http"
	case probe.CaptivePortal:
		return "answers with a web page"
	case probe.ProtocolInvalid:
		if e.Kind == probe.KindDirect {
			return "fails" // what git says follows as evidence
		}
		return "answers nonsense"
	case probe.ChecksumMismatch:
		return "sends wrong bytes"
	case probe.SumDBUnavailable:
		return "cannot be reached"
	case probe.SumDBUntrusted:
		return "gives answers that its key did not sign"
	case probe.ForwardProxyDown:
		return "is cut off by the forward proxy"
	default:
		return "has not answered yet"
	}
}

// status is the HTTP status of a class, as precisely as it is known.
func status(e EndpointFact) string {
	if e.Status >= 400 {
		return fmt.Sprint(e.Status)
	}
	switch e.Class {
	case probe.Forbidden:
		return "403"
	case probe.RateLimited:
		return "429"
	case probe.ServerError:
		return "5xx"
	default:
		return "with an error"
	}
}

// consequence says what the go command then does.
func consequence(a probe.Action, c probe.Class) string {
	waits := c.Info().GoWaits
	switch {
	case a == probe.Hang:
		return "go waits as long as it takes"
	case a == probe.Stop && waits > 0:
		return fmt.Sprintf("go fails after %d s", int(waits/time.Second))
	case a == probe.Stop:
		return "the go command stops"
	case a == probe.Next && waits > 0:
		return fmt.Sprintf("go moves on after %d s per request", int(waits/time.Second))
	case a == probe.Next:
		return "the go command moves on"
	case a == probe.Serve:
		return "the go command uses it"
	case a == probe.GoDirect:
		return "the go command uses version control"
	case a == probe.GoOff:
		return "the go command stops looking"
	default:
		return "what the go command does is not known"
	}
}

// headline puts a name into a sentence of at most headlineColumns columns: the
// name is cut in the middle when it does not fit, the sentence never. format
// has one %s for each name.
func headline(format string, names ...string) string {
	args := func() []any {
		a := make([]any, len(names))
		for i, n := range names {
			a[i] = n
		}
		return a
	}
	names = append([]string(nil), names...)
	for {
		s := fmt.Sprintf(format, args()...)
		over := utf8.RuneCountInString(s) - headlineColumns
		if over <= 0 {
			return s
		}
		longest := -1
		for i, n := range names {
			if longest < 0 || utf8.RuneCountInString(n) > utf8.RuneCountInString(names[longest]) {
				longest = i
			}
		}
		if longest < 0 || utf8.RuneCountInString(names[longest]) <= 8 {
			return cut(s, headlineColumns)
		}
		names[longest] = cut(names[longest], max(8, utf8.RuneCountInString(names[longest])-over))
	}
}

// rejects is the headline about a setting that the go command rejects.
func rejects(word, name, why string) string {
	s := word + ": the go command rejects " + name + ": "
	return s + clipped(why, headlineColumns-len(s))
}

// clipped is an error in n columns. Where it is too long its first clause stands
// for it: unlike a name, an error says most at its beginning, and all of it is
// evidence.
func clipped(err string, n int) string {
	if utf8.RuneCountInString(err) <= n {
		return err
	}
	clause, _, _ := strings.Cut(err, " (")
	if r := []rune(clause); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return clause
}

// cut shortens s to n columns, taking the middle out. Hosts and paths differ at
// their ends.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	keep := n - 1
	head := keep / 2
	return string(r[:head]) + "…" + string(r[len(r)-(keep-head):])
}

// short is a duration for a sentence: two figures are enough.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
}

// origin says where the chain comes from.
func origin(f Facts) string { return env.Origin(f.ChainOrigin).Words() }
