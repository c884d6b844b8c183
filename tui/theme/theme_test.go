package theme

import (
	"reflect"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
)

func TestGuessDark(t *testing.T) {
	for in, want := range map[string]bool{"": true, "15;0": true, "0;15": false, "0;7": false, "15;8": true, "15;default;0": true, "x": true} {
		if got := GuessDark(in); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestProfileFor(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		want termenv.Profile
	}{
		{map[string]string{"TERM": "xterm-256color", "COLORTERM": "truecolor"}, termenv.TrueColor},
		{map[string]string{"TERM": "tmux-256color"}, termenv.ANSI256},
		{map[string]string{"TERM": "xterm"}, termenv.ANSI},
		{map[string]string{"TERM": "dumb", "COLORTERM": "truecolor"}, termenv.Ascii},
		{map[string]string{}, termenv.Ascii},
	} {
		if got := ProfileFor(func(k string) string { return tc.env[k] }); got != tc.want {
			t.Errorf("%v: %v, want %v", tc.env, got, tc.want)
		}
	}
}

func TestNoColorMeansNoSequence(t *testing.T) {
	th := New(Options{NoColor: true, Profile: termenv.TrueColor})
	for r := Role(0); r < roles; r++ {
		for _, lit := range []bool{false, true} {
			if got := th.Paint(r, "x", lit); got != "x" {
				t.Errorf("role %d: %q", r, got)
			}
		}
	}
}

func TestEveryRoleHasAColour(t *testing.T) {
	for _, dark := range []bool{true, false} {
		th := New(Options{Dark: dark, Profile: termenv.TrueColor})
		for r := Role(0); r < roles; r++ {
			for _, lit := range []bool{false, true} {
				got := th.Paint(r, "x", lit)
				if !strings.HasPrefix(got, "\x1b[") || ansi.Strip(got) != "x" {
					t.Errorf("dark %v role %d: %q", dark, r, got)
				}
			}
		}
	}
}

// TestGlyphs: every sign is one cell wide, except that an arrow in ASCII needs
// two, and the ASCII set is ASCII.
func TestGlyphs(t *testing.T) {
	for _, g := range []Glyphs{Unicode, ASCII} {
		v := reflect.ValueOf(g)
		for i := range v.NumField() {
			var signs []string
			if v.Field(i).Kind() == reflect.Slice {
				signs = v.Field(i).Interface().([]string)
			} else {
				signs = []string{v.Field(i).String()}
			}
			for _, s := range signs {
				name := v.Type().Field(i).Name
				if w := ansi.StringWidth(s); w != 1 && name != "Arrow" {
					t.Errorf("%s %q is %d wide", name, s, w)
				}
				if reflect.DeepEqual(g, ASCII) && len(s) != ansi.StringWidth(s) {
					t.Errorf("%s %q is not ASCII", name, s)
				}
			}
		}
	}
}
