// Package advice gives an error what to do next, apart from why something failed:
//
//	user file: permission denied; make it writable, or change this shell only: …
//	└────────── why ───────────┘  └──────────── what to do next ──────────────┘
//
// A person reads both in one line; a script finds the second in a field of its own.
package advice

import (
	"errors"
	"fmt"
)

// An Error is an error with what to do about it.
type Error struct {
	Why  error
	Next string // without a full stop: "make it writable"
}

func (e *Error) Error() string { return e.Why.Error() + "; " + e.Next }
func (e *Error) Unwrap() error { return e.Why }

// Add says of an error what to do next.
func Add(why error, next string, args ...any) error {
	return &Error{Why: why, Next: fmt.Sprintf(next, args...)}
}

// Of is what an error says to do next, "" when it says nothing. Of several it is the
// innermost, which is read first: the others follow it in the error's text.
func Of(err error) string {
	next := ""
	for e := (*Error)(nil); errors.As(err, &e); err = e.Why {
		next = e.Next
	}
	return next
}
