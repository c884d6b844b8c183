package history

import (
	"database/sql"
	"testing"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
)

func TestGoesOn(t *testing.T) {
	now := began
	s := recorded(t, &now)
	i := &incident.Incident{Opened: wire.At(began), Detected: wire.At(began.Add(time.Second))}
	save := func() {
		t.Helper()
		r, err := s.recordsOf(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.within(t.Context(), func(tx *sql.Tx) (err error) { i.ID, err = saveIncident(t.Context(), tx, i); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.GoesOn(t.Context()); got != nil || err != nil {
		t.Errorf("nothing was recorded: %+v, %v", got, err)
	}
	save()
	if got, err := s.GoesOn(t.Context()); err != nil || got == nil || !got.Opened.Equal(began) {
		t.Errorf("it goes on: %+v, %v", got, err)
	}
	i.Resolved = wire.At(began.Add(time.Minute))
	save()
	if got, err := s.GoesOn(t.Context()); got != nil || err != nil {
		t.Errorf("it is over: %+v, %v", got, err)
	}
}
