package lab

import (
	"net/http"
	"runtime"
	"time"

	"gpx/probe"
)

// A Scenario is an outage with a story: what "gpx demo" plays.
type Scenario struct {
	Name  string // the word after "gpx demo"
	Title string // a few words
	Story string // what happens, and what to watch

	// Separator stands between the proxies of the chain, "," or "|".
	Separator string
	Proxies   []ScenarioProxy
	// Cached puts the project's modules into the module cache beforehand.
	Cached bool
}

// A ScenarioProxy is one proxy of a scenario, in the order of the chain.
type ScenarioProxy struct {
	Name     string
	Schedule Schedule
}

// Calm is how long a scenario stays healthy before its outage begins: long
// enough to see what healthy looks like.
const Calm = 6 * time.Second

// The stories recover by themselves, so that the end of an outage can be
// watched too.
const (
	recovery      = 2 * time.Minute
	shortRecovery = time.Minute
)

// outage is a schedule that gets a fault after the calm and loses it again.
func outage(until time.Duration, f Fault, only ...probe.File) Schedule {
	return After(Calm, f, only...).Then(until, OK())
}

var scenarios = []Scenario{
	{
		Name: "outage", Title: "The first proxy becomes a black hole", Separator: ",",
		Story: "Two proxies, a comma between them. After a few seconds the first drops every packet: go build waits 30 s " +
			"for each request and then fails, because a comma moves on only after 404 and 410. Switch to the second one.",
		Proxies: []ScenarioProxy{{"primary", outage(recovery, Blackhole())}, {"backup", Always(Slow(15 * time.Millisecond))}},
	},
	{
		Name: "hang", Title: "The first proxy accepts and never answers", Separator: "|",
		Story: "The chain was written with care: a pipe, which moves on after any error. But a proxy that accepts the " +
			"connection and never answers is no error, and the go command has no timeout: go build hangs for ever.",
		Proxies: []ScenarioProxy{{"primary", outage(recovery, Hang())}, {"backup", Always(Slow(15 * time.Millisecond))}},
	},
	{
		Name: "refused", Title: "The first proxy is shut down", Separator: ",",
		Story: "The port is closed. Before a comma that ends the build at once, though the second proxy is healthy. " +
			"A pipe instead of the comma is enough.",
		Proxies: []ScenarioProxy{{"primary", outage(recovery, Refuse())}, {"backup", nil}},
	},
	{
		Name: "sumdb", Title: "Modules come, checksums do not", Separator: "|",
		Story: "The first proxy goes on serving modules and says that it serves the checksum database, but every lookup " +
			"fails. What go.sum holds still builds; go get and go mod download of anything new fail. The go command chose " +
			"its route to the database when it asked who supports it, and does not choose again: not even a pipe helps. " +
			"Never answer this with GOSUMDB=off; put the healthy proxy first.",
		Proxies: []ScenarioProxy{
			{"primary", outage(recovery, Status(http.StatusInternalServerError, "checksum database: upstream is not reachable\n"), probe.Lookup, probe.Tile)},
			{"backup", nil},
		},
	},
	{
		Name: "captive", Title: "The guest network wants a login", Separator: ",",
		Story: "Every request, to whatever host, is answered with 200 and a login page. No proxy is at fault and no chain " +
			"helps: log in, or work offline.",
		Proxies: []ScenarioProxy{{"primary", outage(shortRecovery, Captive())}, {"backup", outage(shortRecovery, Captive())}},
	},
	{
		Name: "expired-cert", Title: "A certificate was not renewed", Separator: ",",
		Story: "The first proxy's certificate has expired. The go command refuses it, and GOINSECURE does not apply to " +
			"proxies. Switch; do not look for a way around the certificate.",
		Proxies: []ScenarioProxy{{"primary", outage(recovery, Of(ModeTLSExpired))}, {"backup", nil}},
	},
	{
		Name: "ratelimit", Title: "Too many requests", Separator: ",",
		Story: "The first proxy answers 429 with Retry-After: 30. gpx asks it less often while that lasts; the go command " +
			"does not wait, it fails.",
		Proxies: []ScenarioProxy{{"primary", outage(shortRecovery, RateLimited(30*time.Second))}, {"backup", nil}},
	},
	{
		Name: "flaky", Title: "One answer in three is a 503", Separator: ",",
		Story: "The first proxy is neither up nor down. A build makes dozens of requests, so one in three is enough to " +
			"fail nearly every build.",
		Proxies: []ScenarioProxy{{"primary", outage(recovery, Status(http.StatusServiceUnavailable, "overloaded, try again\n").OneIn(3))}, {"backup", nil}},
	},
	{
		Name: "slow", Title: "The first proxy crawls", Separator: ",",
		Story: "Answers come, but more than a second late each. Nothing fails; a build just takes minutes. The second " +
			"proxy answers in a few milliseconds.",
		Proxies: []ScenarioProxy{{"primary", outage(recovery, Slow(1200*time.Millisecond))}, {"backup", Always(Slow(8 * time.Millisecond))}},
	},
	{
		Name: "blackout", Title: "No network at all", Separator: ",", Cached: true,
		Story: "Every proxy turns into a black hole. What this project needs is in the module cache, so gpx offline on " +
			"makes it build again, with checksums still verified.",
		Proxies: []ScenarioProxy{{"primary", outage(recovery, Blackhole())}, {"backup", outage(recovery, Blackhole())}},
	},
}

// DefaultScenario is what "gpx demo" plays without a name.
const DefaultScenario = "outage"

// Scenarios returns all scenarios, the default one first.
func Scenarios() []Scenario { return append([]Scenario(nil), scenarios...) }

// FindScenario returns a scenario by name; "" is the default one.
func FindScenario(name string) (Scenario, bool) {
	if name == "" {
		name = DefaultScenario
	}
	for _, s := range scenarios {
		if s.Name == name {
			return s, true
		}
	}
	return Scenario{}, false
}

// systemTrustsEnv says whether Go programs here read SSL_CERT_FILE, which is how
// they come to trust the lab (crypto/x509, root_unix.go). Elsewhere scenarios
// speak plain http, but for the one about a certificate.
const systemTrustsEnv = runtime.GOOS != "darwin" && runtime.GOOS != "windows" && runtime.GOOS != "ios"
