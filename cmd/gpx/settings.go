package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/pelletier/go-toml/v2"

	"gpx/envctl/bounded"
	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/probe/failover"
	"gpx/probe/monitor"
)

// settings are the configuration file:
//
//	$XDG_CONFIG_HOME/gpx/config.toml
//
// Every key has a default; a key that is not known is an error, because a
// mistyped one would otherwise do nothing without a word.
type settings struct {
	// Endpoints are watched besides the chain: proxies of the user's own.
	Endpoints []string `toml:"endpoints" json:"endpoints" comment:"proxies to watch besides the chain"`

	Screen   screenSettings    `toml:"screen" json:"screen"`
	Switch   switchSettings    `toml:"switch" json:"switch"`
	Catalog  catalogSettings   `toml:"catalog" json:"catalog"`
	Probe    probeSettings     `toml:"probe" json:"probe"`
	Schedule scheduleSettings  `toml:"schedule" json:"schedule"`
	Health   healthSettings    `toml:"health" json:"health"`
	Chains   map[string]string `toml:"chains" json:"chains" comment:"names for chains: gpx use NAME"`
}

type screenSettings struct {
	Theme string `toml:"theme" json:"theme" comment:"dark, light, or auto (COLORFGBG)"`
	ASCII bool   `toml:"ascii" json:"ascii"`
	Color bool   `toml:"color" json:"color"`
	Mouse bool   `toml:"mouse" json:"mouse"`
}

type switchSettings struct {
	Strategy string `toml:"strategy" json:"strategy" comment:"latency, availability, region or manual"`
	Region   string `toml:"region" json:"region" comment:"preferred region of the catalog, such as cn; for the strategy region"`
	// Automatic and Quiet are the autopilot's.
	Automatic bool     `toml:"automatic" json:"automatic" comment:"switch by itself in an outage, and back: the screen (key A) and gpx watch (--auto)"`
	Quiet     duration `toml:"quiet" json:"quiet" comment:"how long the chain that was left must be well before it comes back by itself"`
}

type catalogSettings struct {
	Probe string `toml:"probe" json:"probe" comment:"may the catalog's proxies be probed in an outage: ask, always or never"`
}

type probeSettings struct {
	Attempt    duration `toml:"attempt" json:"attempt" comment:"time for one attempt"`
	VCSAttempt duration `toml:"vcs_attempt" json:"vcs_attempt" comment:"the same for version control behind direct"`
	BodyLimit  int64    `toml:"body_limit" json:"body_limit" comment:"bytes read of an answer"`
	ZipLimit   int64    `toml:"zip_limit" json:"zip_limit" comment:"bytes read of a zip, deep probes only"`
	Redirects  int      `toml:"redirects" json:"redirects"`
}

type scheduleSettings struct {
	HopEvery   duration `toml:"hop_every" json:"hop_every"`
	OtherEvery duration `toml:"other_every" json:"other_every"`
	Jitter     float64  `toml:"jitter" json:"jitter" comment:"share of a pause by which a probe may come earlier"`
	Overlap    duration `toml:"overlap" json:"overlap" comment:"between probes of an endpoint in doubt"`
	LateFactor float64  `toml:"late_factor" json:"late_factor" comment:"an answer is late after late_factor x the endpoint's own p99, within late_min and late_max"`
	LateMin    duration `toml:"late_min" json:"late_min"`
	LateMax    duration `toml:"late_max" json:"late_max"`
	Burst      duration `toml:"burst" json:"burst" comment:"time for the first look"`
	BackoffMin duration `toml:"backoff_min" json:"backoff_min" comment:"after 429 without Retry-After"`
	BackoffMax duration `toml:"backoff_max" json:"backoff_max"`
}

type healthSettings struct {
	DownAfter       int      `toml:"down_after" json:"down_after" comment:"failures in a row"`
	UpAfter         int      `toml:"up_after" json:"up_after" comment:"successes in a row"`
	Window          duration `toml:"window" json:"window"`
	WindowSamples   int      `toml:"window_samples" json:"window_samples"`
	SlowErrorRate   float64  `toml:"slow_error_rate" json:"slow_error_rate"`
	SlowErrorFactor float64  `toml:"slow_error_factor" json:"slow_error_factor" comment:"times the endpoint's baseline"`
	SlowP99         duration `toml:"slow_p99" json:"slow_p99"`
	SlowP99Factor   float64  `toml:"slow_p99_factor" json:"slow_p99_factor"`
	SlowMinSamples  int      `toml:"slow_min_samples" json:"slow_min_samples"`
}

// A duration is written as in Go: "2s", "250ms".
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a time such as 2s or 250ms", redact.Clean(string(text)))
	}
	*d = duration(v)
	return nil
}

// defaultSettings are what an empty file means. The bounds are those of the
// packages that they are for.
func defaultSettings() settings {
	p, m := probe.DefaultConfig(), monitor.DefaultConfig()
	return settings{
		Endpoints: []string{},
		Chains:    map[string]string{},
		Screen:    screenSettings{Theme: "auto", Color: true, Mouse: true},
		Switch:    switchSettings{Strategy: string(failover.Latency), Quiet: duration(failover.DefaultPilotConfig().Quiet)},
		Catalog:   catalogSettings{Probe: "ask"},
		Probe: probeSettings{
			Attempt: duration(p.Attempt), VCSAttempt: duration(p.VCSAttempt),
			BodyLimit: p.BodyLimit, ZipLimit: p.ZipLimit, Redirects: p.Redirects,
		},
		Schedule: scheduleSettings{
			HopEvery: duration(m.HopEvery), OtherEvery: duration(m.OtherEvery), Jitter: m.Jitter,
			Overlap: duration(m.Overlap), LateFactor: m.LateFactor, LateMin: duration(m.LateMin), LateMax: duration(m.LateMax),
			Burst: duration(m.Burst), BackoffMin: duration(m.BackoffMin), BackoffMax: duration(m.BackoffMax),
		},
		Health: healthSettings{
			DownAfter: m.DownAfter, UpAfter: m.UpAfter, Window: duration(m.Window), WindowSamples: m.WindowSamples,
			SlowErrorRate: m.SlowErrorRate, SlowErrorFactor: m.SlowErrorFactor,
			SlowP99: duration(m.SlowP99), SlowP99Factor: m.SlowP99Factor, SlowMinSamples: m.SlowMinSamples,
		},
	}
}

// probeConfig is the part that probes need.
func (s settings) probeConfig() probe.Config {
	c := probe.DefaultConfig()
	c.Attempt, c.VCSAttempt = time.Duration(s.Probe.Attempt), time.Duration(s.Probe.VCSAttempt)
	c.BodyLimit, c.ZipLimit, c.Redirects = s.Probe.BodyLimit, s.Probe.ZipLimit, s.Probe.Redirects
	return c
}

// monitorConfig is the part that the monitor needs.
func (s settings) monitorConfig() monitor.Config {
	c := monitor.DefaultConfig()
	w, h := s.Schedule, s.Health
	c.HopEvery, c.OtherEvery, c.Jitter = time.Duration(w.HopEvery), time.Duration(w.OtherEvery), w.Jitter
	c.Overlap, c.LateFactor = time.Duration(w.Overlap), w.LateFactor
	c.LateMin, c.LateMax = time.Duration(w.LateMin), time.Duration(w.LateMax)
	c.Burst, c.Settle = time.Duration(w.Burst), min(c.Settle, time.Duration(w.Burst))
	c.BackoffMin, c.BackoffMax = time.Duration(w.BackoffMin), time.Duration(w.BackoffMax)
	c.DownAfter, c.UpAfter = h.DownAfter, h.UpAfter
	c.Window, c.WindowSamples = time.Duration(h.Window), h.WindowSamples
	c.HistorySamples = max(c.HistorySamples, h.WindowSamples)
	c.SlowErrorRate, c.SlowErrorFactor = h.SlowErrorRate, h.SlowErrorFactor
	c.SlowP99, c.SlowP99Factor, c.SlowMinSamples = time.Duration(h.SlowP99), h.SlowP99Factor, h.SlowMinSamples
	return c
}

// defaultSettingsFile is where the configuration is looked for.
func defaultSettingsFile() string { return filepath.Join(xdg.ConfigHome, "gpx", "config.toml") }

// maxSettings bounds what is read of a configuration, in bytes: a thousand times
// the default one.
const maxSettings = 1 << 20

// readSettings reads file; found tells whether it exists. An error names file
// and line.
func readSettings(file string) (s settings, found bool, err error) {
	s = defaultSettings()
	data, err := bounded.ReadFile(file, maxSettings)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("settings: %w", err)
	}
	dec := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return s, true, settingsError(file, err)
	}
	if err := s.check(); err != nil {
		return s, true, fmt.Errorf("%s: %w", file, err)
	}
	return s, true, nil
}

// settingsError puts file and line before what the decoder says.
func settingsError(file string, err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		e := unknown.Errors[0]
		line, _ := e.Position()
		return fmt.Errorf("%s:%d: there is no setting %q", file, line, strings.Join(e.Key(), "."))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, _ := bad.Position()
		return fmt.Errorf("%s:%d: %s", file, line, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", file, err)
}

// check refuses values that would make gpx useless or a nuisance to proxies.
func (s settings) check() error {
	for key, d := range map[string]duration{
		"probe.attempt": s.Probe.Attempt, "probe.vcs_attempt": s.Probe.VCSAttempt,
		"schedule.overlap": s.Schedule.Overlap, "schedule.late_min": s.Schedule.LateMin, "schedule.late_max": s.Schedule.LateMax,
		"schedule.burst": s.Schedule.Burst, "schedule.backoff_min": s.Schedule.BackoffMin, "schedule.backoff_max": s.Schedule.BackoffMax,
		"health.window": s.Health.Window, "health.slow_p99": s.Health.SlowP99,
	} {
		if d <= 0 {
			return fmt.Errorf("%s must be longer than 0", key)
		}
	}
	if s.Switch.Quiet < duration(time.Second) || s.Switch.Quiet > duration(24*time.Hour) {
		return errors.New("switch.quiet must be between 1s and 24h")
	}
	for key, d := range map[string]duration{"schedule.hop_every": s.Schedule.HopEvery, "schedule.other_every": s.Schedule.OtherEvery} {
		if d < duration(time.Second) {
			return fmt.Errorf("%s must be at least 1s: proxies are shared", key)
		}
	}
	for key, n := range map[string]int64{
		"probe.body_limit": s.Probe.BodyLimit, "probe.zip_limit": s.Probe.ZipLimit, "probe.redirects": int64(s.Probe.Redirects),
		"health.down_after": int64(s.Health.DownAfter), "health.up_after": int64(s.Health.UpAfter),
		"health.window_samples": int64(s.Health.WindowSamples), "health.slow_min_samples": int64(s.Health.SlowMinSamples),
	} {
		if n < 1 {
			return fmt.Errorf("%s must be at least 1", key)
		}
	}
	if s.Schedule.Jitter < 0 || s.Schedule.Jitter > 0.5 {
		return errors.New("schedule.jitter must be between 0 and 0.5")
	}
	for _, choice := range []struct {
		key, value string
		allowed    []string
	}{
		{"screen.theme", s.Screen.Theme, []string{"auto", "dark", "light"}},
		{"catalog.probe", s.Catalog.Probe, []string{"ask", "always", "never"}},
		{"switch.strategy", s.Switch.Strategy, strategies()},
	} {
		if !slices.Contains(choice.allowed, choice.value) {
			return fmt.Errorf("%s is %q, and must be one of: %s", choice.key, redact.Clean(choice.value), strings.Join(choice.allowed, ", "))
		}
	}
	for name, value := range s.Chains {
		if _, err := chain.Parse(value); err != nil {
			return fmt.Errorf("chains.%s: %w", redact.Clean(name), err)
		}
	}
	for _, raw := range s.Endpoints {
		if _, err := chain.ParseHop(raw); err != nil {
			return fmt.Errorf("endpoints: %w", err)
		}
	}
	return nil
}

// strategies are the names of failover's, for messages.
func strategies() []string {
	var names []string
	for _, s := range failover.Strategies {
		names = append(names, string(s))
	}
	return names
}

// redacted returns the settings as they may be shown.
func (s settings) redacted() settings {
	endpoints := make([]string, len(s.Endpoints))
	for i, raw := range s.Endpoints {
		endpoints[i] = redact.URL(raw)
	}
	chains := make(map[string]string, len(s.Chains))
	for name, value := range s.Chains {
		chains[redact.Clean(name)] = redact.Value("GOPROXY", value)
	}
	s.Endpoints, s.Chains = endpoints, chains
	return s
}
