package tui

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/tui/view"
)

const relayURL = "http://127.0.0.1:41234"

// relay is that of the fake services.
type relay struct {
	state view.RelayState
	on    bool
	fail  error
}

func (f *fake) relayServices() view.Relay {
	return view.Relay{
		StartRelay: func(context.Context) (*change.Plan, error) {
			f.note("start relay")
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.relay.fail != nil {
				return nil, f.relay.fail
			}
			f.relay.on, f.relay.state.URL = true, relayURL
			return planFor("GOPROXY through a relay in this gpx", "GOPROXY", f.env.Get("GOPROXY"), relayURL+"|"+f.env.Get("GOPROXY")), nil
		},
		PlanRelayOff: func(context.Context) (*change.Plan, error) {
			f.note("plan relay off")
			f.mu.Lock()
			defer f.mu.Unlock()
			was := f.env.Get("GOPROXY")
			rest, in := strings.CutPrefix(was, relayURL+"|")
			if !in {
				return nil, nil
			}
			return planFor("undo: GOPROXY through a relay in this gpx", "GOPROXY", was, rest), nil
		},
		StopRelay: func(context.Context) error {
			f.note("stop relay")
			f.mu.Lock()
			defer f.mu.Unlock()
			f.relay.on = false
			return f.relay.fail
		},
		RelayNow: func() (view.RelayState, bool) {
			f.mu.Lock()
			defer f.mu.Unlock()
			s := f.relay.state
			s.InForce = strings.HasPrefix(f.env.Get("GOPROXY"), relayURL)
			return s, f.relay.on
		},
	}
}

// relayed is the outage behind a relay.
func relayed() monitor.Snapshot {
	s := outage()
	s.EnvDigest = "e3"
	s.Verdict = monitor.Verdict{State: monitor.StateOK, Headline: "OK: go can download from 127.0.0.1:41234", Evidence: []string{}, Fixes: []monitor.Fix{}}
	own := endpoint(relayURL, probe.KindProxy, monitor.Up, probe.OK, 1)
	own.Window = monitor.Window{Samples: 6, P50: ms(1), P95: ms(2), P99: ms(2), Recent: samples("000000", probe.OK)}
	hop := monitor.Hop{URL: relayURL, Kind: probe.KindProxy, Separator: "|", Health: monitor.Up, Class: probe.OK, GoWill: probe.Serve}
	s.Chain.Value = relayURL + "|" + s.Chain.Value
	s.Chain.Hops = append([]monitor.Hop{hop}, s.Chain.Hops...)
	for i := range s.Chain.Hops {
		s.Chain.Hops[i].N = i + 1
	}
	for i := range 3 {
		s.Endpoints[i].Hops = []int{i + 2}
	}
	s.Endpoints = append([]monitor.EndpointStatus{own}, s.Endpoints...)
	return s
}

// relaying starts the relay in an outage, and lets it work.
func (s *screen) relaying() {
	s.show(outage())
	s.press("S", "y")
	s.f.mu.Lock()
	s.f.relay.state = view.RelayState{URL: relayURL, Requests: 1204, Rescued: 37, FromCache: 890, Wrong: 1, Bytes: 52 << 20}
	s.f.mu.Unlock()
	s.show(relayed())
}

func TestStoryRelay(t *testing.T) {
	both(t, func(s *screen) {
		s.show(outage())
		s.press("S")
		s.has("GOPROXY through a relay in this gpx", "+ "+relayURL+"|https://proxy.example.com", "Cancel")
		s.press("n")
		s.has("nothing was changed, and the relay has ended")
		s.asked("start relay", "stop relay")

		s.relaying()
		s.asked("start relay", "apply GOPROXY through a relay in this gpx", "probe []")
		s.has("relay "+relayURL, "GOPROXY leads through it", "1204 requests", "37 rescued", "890 from cache", "52 MiB", "1 with wrong bytes", "S stop")
		s.lacks("unanswered")

		s.press("q")
		s.has("The relay ends with gpx, and GOPROXY is then what it was before.")
		s.press("n", "S")
		s.has("undo: GOPROXY through a relay in this gpx", "The relay ends.")
		s.press("y")
		s.has("the relay has ended, and GOPROXY is what it was")
		s.lacks("1204 requests")
		s.asked("plan relay off", "apply undo: GOPROXY through a relay in this gpx", "probe []", "stop relay")
	})
}

// Somebody else takes the relay out of GOPROXY: it is shown, and there is nothing
// to ask before it ends.
func TestStoryRelayLeft(t *testing.T) {
	both(t, func(s *screen) {
		s.relaying()
		s.f.env = set(s.f.env, "GOPROXY", "https://mirror.example.org", env.User)
		s.press("r")
		s.has("GOPROXY does not lead through it")
		s.press("S")
		s.has("the relay has ended; GOPROXY did not lead through it")
		s.lacks("1204 requests")
	})
}

func TestStoryRelayFails(t *testing.T) {
	both(t, func(s *screen) {
		s.show(outage())
		s.f.relay.fail = errors.New("another gpx has a relay in use")
		s.press("S")
		s.has("another gpx has a relay in use")
		s.lacks("Cancel")
	})
}

// A replay shows another time: neither the relay of now, nor a way to change it.
func TestRelayInReplay(t *testing.T) {
	both(t, func(s *screen) {
		s.relaying()
		s.happened()
		s.press("enter", "]", "1")
		s.f.called()
		s.lacks("1204 requests", "leads through it")
		s.press("S")
		s.has("relay: ")
		s.lacks("Apply (y)")
		s.asked()
	})
}
