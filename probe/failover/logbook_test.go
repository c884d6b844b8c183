package failover

import (
	"strings"
	"testing"
	"time"

	"gpx/envctl/change"
)

// The records of the journal in words: who, what is taken back, and when.
func records(lines ...string) (rs []change.Record) {
	for _, line := range lines {
		w := strings.Fields(line) // id actor minute [undoes] [undone] [GOSUMDB]
		at, _ := time.ParseDuration(w[2])
		r := change.Record{ID: w[0], Actor: w[1], State: change.Applied, DoneAt: takeoff.Add(at)}
		target := "GOPROXY"
		for _, more := range w[3:] {
			switch {
			case more == "undone":
				r.State = change.Undone
			case more == "aborted":
				r.State = change.Aborted
			case strings.HasPrefix(more, "GO"):
				target = more
			default:
				r.Undoes = more
			}
		}
		r.Actions = []change.Action{{Kind: change.SetVariable, Target: target, New: "redacted"}}
		r.Hashes = []string{change.HashValue("value" + w[0])}
		rs = append(rs, r)
	}
	return rs
}

func TestLogbook(t *testing.T) {
	for _, c := range []struct {
		name    string
		journal []string
		open    string
	}{
		{"nothing", nil, ""},
		{"a person", []string{"a cli 0m"}, ""},
		{"a switch", []string{"a cli 0m", "b auto 1m"}, "b"},
		{"and on to another", []string{"a auto 0m", "b auto 1m"}, "a b"},
		{"and back", []string{"a auto 0m undone", "b auto 1m undone", "c auto 2m b", "d auto 3m a"}, ""},
		{"half way back", []string{"a auto 0m", "b auto 1m undone", "c auto 2m b"}, "a"},
		{"taken back by a person", []string{"a auto 0m undone", "b tui 1m a"}, ""},
		{"changed by a person", []string{"a auto 0m", "b cli 1m"}, ""},
		{"brought back by a person", []string{"a auto 0m", "b cli 1m undone", "c cli 2m b"}, ""},
		{"something else was changed", []string{"a auto 0m", "b cli 1m GOSUMDB"}, "a"},
		{"what failed does not count", []string{"a auto 0m", "b auto 1m aborted"}, "a"},
	} {
		l := ReadLogbook(records(c.journal...))
		var open []string
		for _, r := range l.Open {
			open = append(open, r.ID)
		}
		if got := strings.Join(open, " "); got != c.open {
			t.Errorf("%s: %q is open, want %q", c.name, got, c.open)
		}
	}
	l := ReadLogbook(records("a auto 0m", "b auto 1m"))
	if !l.InForce("valueb", true) || l.InForce("valuea", true) || l.InForce("valueb", false) || l.InForce("", true) {
		t.Error("another value counts as the one that was set")
	}
	l.Open[1].Hashes, l.Open[1].Actions[0].New = nil, "" // it unset the variable
	if !l.InForce("", false) || l.InForce("valueb", true) {
		t.Error("a variable that was unset")
	}
}

// Another process gives a chain that fails again soon as long as the one before.
func TestPilotRecalls(t *testing.T) {
	c := newCabin(t, two)
	c.own = one
	c.p.Recall(ReadLogbook(records("a auto -60m undone", "b auto -50m a", "c auto -40m undone", "d auto -30m c", "e auto -20m")))
	c.p.Resume(c.chain(one), c.chain(two), takeoff, takeoff)
	if f, _ := c.p.Flight(); f.Quiet != 20*time.Minute {
		t.Errorf("it waits for %v", f.Quiet)
	}
	c.want("", c.fly(19*time.Minute))
	c.want("return", c.fly(5*time.Minute))

	c = newCabin(t, one) // no flight goes on
	c.p.Recall(ReadLogbook(records("a auto -60m undone", "b auto -50m a")))
	c.hops[one] = "down refused"
	c.want("switch "+two+"|"+three, strings.ReplaceAll(c.fly(time.Second), three+"|"+two, two+"|"+three))
	if f, _ := c.p.Flight(); f.Quiet != 10*time.Minute {
		t.Errorf("it waits for %v", f.Quiet)
	}
}
