package relay

import (
	"net/http"
	"testing"

	"gpx/probe"
	"gpx/probe/lab"
)

// What was passed on while nothing could vouch for it is looked at again when the
// checksum database answers: wrong bytes are not kept for who comes later.
func TestUnprovenIsProvenLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	liar := w.lab.Proxy("liar", lab.Always(lab.Of(lab.ModeWrongZip), probe.Zip))
	sums := w.lab.Proxy("sums", lab.Always(lab.NoSumDB(500)))
	w.behind(liar, sums)
	w.sumDB("", t.TempDir())
	w.o.Routes = w.o.Routes[1:]
	w.start()
	m := w.lab.Modules()[0]
	url := "/" + m.Path + "/@v/" + m.Version.Version + ".zip"
	status, body, _ := w.get(url)
	if status != http.StatusOK || body == string(m.Zip) {
		t.Fatalf("while nothing can vouch for it: %d, the right bytes: %v", status, body == string(m.Zip))
	}
	sums.SetFault(lab.OK())
	for _, r := range w.relay.core.sums.routes.list { // as after some seconds
		r.mu.Lock()
		r.strikes = 0
		r.mu.Unlock()
	}
	for range 3 {
		status, body, h := w.get(url)
		if status != http.StatusOK || body != string(m.Zip) {
			t.Errorf("later: %d from %s, the right bytes: %v", status, h.Get(fromHeader), body == string(m.Zip))
		}
	}
	if s := w.relay.Stats(); s.Wrong != 2 { // the one that was kept, and the one that came in its place

		t.Errorf("%+v", s)
	}
}
