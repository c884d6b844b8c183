package tui

import (
	"testing"
	"time"

	"gpx/tui/view"
)

// flying has gpx switched by itself, and the own chain well for two minutes.
func (s *screen) flying() {
	s.f.auto = view.Automatic{On: true, Own: "https://proxy.example.com,https://mirror.example.org|direct", Now: "https://mirror.example.org|direct",
		Since: now.Add(-14 * time.Minute), Well: now.Add(-2 * time.Minute), Quiet: 5 * time.Minute}
}

func TestStoryAutomatic(t *testing.T) {
	both(t, func(s *screen) {
		s.show(outage())
		s.lacks("automatic  ")
		s.press("A")
		s.has("Switch automatically?", "switches by itself", "leaves GOPROXY alone", "Cancel")
		s.press("enter") // the focused button is Cancel
		s.has("automatic switching is as it was")
		s.asked()

		s.press("A", "y")
		s.asked("automatic true")
		s.has("automatic switching is on while this screen is open", "● automatic  if this chain goes down")

		s.f.auto.Said = "not switched: the OS environment sets GOPROXY"
		s.show(outage())
		s.has("▲ automatic  not switched: the OS environment")
		s.f.auto.Waits = "another gpx, process 12, records"
		s.show(outage())
		s.has("▲ automatic  it waits: another gpx, process 12")

		s.f.auto.Waits, s.f.auto.StandsDown = "", true
		s.show(outage())
		s.has("▲ automatic  it stands down: somebody else has set this chain")

		s.flying()
		s.show(healthy())
		s.has("● automatic  switched 14m00s ago, well again, back in 3m00s: https://proxy")
		s.f.auto.Well = time.Time{}
		s.show(healthy())
		s.has("● automatic  switched 14m00s ago, back when well for 5m00s: https://proxy")
		s.press("A")
		s.has("No longer switch automatically?", "What it has switched to stays in force", "u takes that back")
		s.press("y")
		s.asked("automatic false")
		s.has("automatic switching is off")
		s.lacks("● automatic")
	})
}

// A replay shows another time, and changes nothing.
func TestNoAutomaticInReplay(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.flying()
	s.show(healthy())
	s.happened()
	s.press("enter", "1")
	s.f.called()
	s.lacks("● automatic")
	s.press("A", "y")
	s.asked()
}
