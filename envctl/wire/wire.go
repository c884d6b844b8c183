// Package wire holds the two value types whose JSON form gpx promises
// everywhere: instants are RFC 3339 in UTC with milliseconds, durations are
// floating-point milliseconds in fields named *_ms.
package wire

import (
	"encoding/json"
	"fmt"
	"time"
)

// Layout is the one textual form of an instant in everything gpx prints for
// scripts.
const Layout = "2006-01-02T15:04:05.000Z07:00"

// Time is an instant that marshals as RFC 3339 UTC with milliseconds. The zero
// Time marshals as null.
type Time struct{ time.Time }

// At wraps t.
func At(t time.Time) Time { return Time{t} }

// MarshalJSON implements [json.Marshaler].
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.UTC().Format(Layout))
}

// UnmarshalJSON implements [json.Unmarshaler]; it accepts any RFC 3339 instant
// and null.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		t.Time = time.Time{}
		return nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("instant %q: %w", s, err)
	}
	t.Time = at
	return nil
}

// Millis is a duration that marshals as floating-point milliseconds.
type Millis time.Duration

// MarshalJSON implements [json.Marshaler]. Microseconds are kept.
func (m Millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Duration(m).Microseconds()) / 1000)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (m *Millis) UnmarshalJSON(data []byte) error {
	var ms float64
	if err := json.Unmarshal(data, &ms); err != nil {
		return err
	}
	*m = Millis(ms * float64(time.Millisecond))
	return nil
}
