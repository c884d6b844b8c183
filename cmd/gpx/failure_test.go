package main

import (
	"errors"
	"testing"
)

// TestHints: what a floor below advises stands in hint, and the line that a
// person reads is the same as before.
func TestHints(t *testing.T) {
	for _, tc := range []struct{ text, why, next string }{
		{"GOENV=off disables it; unset GOENV, or change this shell only: unset A; export B=c", "GOENV=off disables it", "unset GOENV, or change this shell only: unset A; export B=c"},
		{"HOME is not set; set HOME", "HOME is not set", "set HOME"},
		{"permission denied; make it writable", "permission denied", "make it writable"},
		{"one thing; another thing", "one thing; another thing", ""},
		{"settings differ", "settings differ", ""},
	} {
		f := failed("use", "", errors.New(tc.text))
		if f.Message != tc.why || f.Hint != tc.next {
			t.Errorf("%q: message %q, hint %q", tc.text, f.Message, f.Hint)
		}
		if got := f.Error(); got != "use: "+tc.text {
			t.Errorf("%q became %q", tc.text, got)
		}
	}
}
