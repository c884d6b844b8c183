package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"gpx/envctl/advice"
	"gpx/envctl/redact"
)

// TestHints: what a floor below advises stands in hint, and the line that a
// person reads is the same as before.
func TestHints(t *testing.T) {
	noHome := advice.Add(errors.New("HOME is not set"), "set HOME")
	for _, tc := range []struct {
		err       error
		why, next string
	}{
		{advice.Add(errors.New("GOENV=off disables it"), "unset GOENV, or change this shell only: unset A; export B=c"),
			"GOENV=off disables it", "unset GOENV, or change this shell only: unset A; export B=c"},
		{noHome, "HOME is not set", "set HOME"},
		{fmt.Errorf("use: settings: %w", noHome), "settings: HOME is not set", "set HOME"},
		{fmt.Errorf("%w; nothing was changed", noHome), "HOME is not set", "set HOME; nothing was changed"},
		{advice.Add(fs.ErrPermission, "run: export GOPROXY=https://joe:hunter2@a.example.com"), "permission denied", "run: export GOPROXY=https://" + redact.Mark + "@a.example.com"},
		{errors.New("one thing; set another thing"), "one thing; set another thing", ""},
		{errors.New("settings differ"), "settings differ", ""},
	} {
		f := failed("use", "", tc.err)
		if f.Message != tc.why || f.Hint != tc.next {
			t.Errorf("%q: message %q, hint %q", tc.err, f.Message, f.Hint)
		}
		if got, want := f.Error(), "use: "+strings.TrimPrefix(redact.Text(tc.err.Error()), "use: "); got != want {
			t.Errorf("%q became %q", want, got)
		}
	}
}
