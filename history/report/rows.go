package report

import (
	"fmt"
	"strings"

	"gpx/envctl/wire"
)

// A stamp is one of the four instants of an incident.
type stamp struct {
	Name, Means string
	At          wire.Time
}

func stamps(d Document) []stamp {
	return []stamp{
		{"Opened", "the first answer that makes the go command fail", d.Opened},
		{"Detected", "gpx called it an outage", d.Detected},
		{"Mitigated", "builds worked again, by whatever chain", d.Mitigated},
		{"Resolved", "the chain it began with worked again", d.Resolved},
	}
}

func lengthWords(d Document) string {
	if d.State != "resolved" {
		return words(d.Length) + " so far"
	}
	return words(d.Length)
}

// answers are the classes of an endpoint with how often they came.
func answers(e Endpoint) string {
	parts := make([]string, len(e.Classes))
	for i, c := range e.Classes {
		parts[i] = fmt.Sprintf("%s ×%d", c.Class.Words(), c.Samples)
	}
	return strings.Join(parts, ", ")
}

// A setting is one bound, in words.
type setting struct{ Name, Value string }

func settings(d Document) []setting {
	s := d.Settings
	automatic := "off: somebody had to switch"
	if s.Automatic {
		automatic = "on"
	}
	all := []setting{
		{"Time between probes of a hop", words(s.Interval)},
		{"Time limit of a probe", words(s.Timeout)},
		{"Failures in a row that are down", fmt.Sprint(s.Threshold)},
	}
	if s.Lossy > 0 {
		all = append(all, setting{"The same for an endpoint that loses single probes", fmt.Sprint(s.Lossy)})
	}
	if s.Strategy != "" {
		all = append(all, setting{"Strategy of the recommended chain", s.Strategy})
	}
	return append(all, setting{"Automatic switching", automatic})
}
