package probe_test

import (
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gpx/probe"
	"gpx/probe/lab"
)

func TestDeep(t *testing.T) {
	t.Parallel()
	all := []probe.File{probe.List, probe.Latest, probe.Info, probe.Mod, probe.Zip, probe.Supported, probe.Lookup, probe.Head, probe.Tile}
	for _, test := range []struct {
		name   string
		fault  lab.Fault
		only   []probe.File
		class  probe.Class
		detail string
		failed []probe.File // the checks that are not ok
	}{
		{name: "healthy", class: probe.OK},
		{name: "no @latest", fault: lab.Status(404, ""), only: []probe.File{probe.Latest}, class: probe.OK, failed: []probe.File{probe.Latest}},
		{name: "no list", fault: lab.Status(404, ""), only: []probe.File{probe.List}, class: probe.OK, failed: []probe.File{probe.List}},
		{name: "list broken", fault: lab.Status(500, ""), only: []probe.File{probe.List}, class: probe.ServerError, detail: "@v/list", failed: []probe.File{probe.List}},
		{name: "zip missing", fault: lab.Status(404, ""), only: []probe.File{probe.Zip}, class: probe.NotFound, detail: ".zip", failed: []probe.File{probe.Zip}},
		{name: "zip truncated", fault: lab.Of(lab.ModeTruncated), only: []probe.File{probe.Zip}, class: probe.Truncated, detail: ".zip", failed: []probe.File{probe.Zip}},
		{name: "zip short", fault: lab.Of(lab.ModeShort), only: []probe.File{probe.Zip}, class: probe.ProtocolInvalid, detail: "not a valid zip", failed: []probe.File{probe.Zip}},
		{name: "wrong zip", fault: lab.Of(lab.ModeWrongZip), class: probe.ChecksumMismatch, detail: ".zip is h1:", failed: []probe.File{probe.Zip}},
		{name: "zip with other names", fault: lab.Of(lab.ModeZipNames), class: probe.ProtocolInvalid, detail: "unexpected file", failed: []probe.File{probe.Zip}},
		{name: "wrong mod", fault: lab.Of(lab.ModeWrongMod), class: probe.ChecksumMismatch, detail: ".mod is h1:", failed: []probe.File{probe.Mod}},
		{name: "no checksum database", fault: lab.NoSumDB(404), class: probe.OK, failed: []probe.File{probe.Supported}},
		{name: "lookup broken", fault: lab.Status(500, ""), only: []probe.File{probe.Lookup}, class: probe.SumDBUnavailable, failed: []probe.File{probe.Lookup}},
		{name: "tampered tile", fault: lab.Of(lab.ModeBadTile), class: probe.SumDBUntrusted, failed: []probe.File{probe.Tile}},
		{name: "bad signature", fault: lab.Of(lab.ModeBadSignature), class: probe.SumDBUntrusted, failed: []probe.File{probe.Head}},
		{name: "captive after supported", fault: lab.Of(lab.ModeSumDBCaptive), class: probe.CaptivePortal, failed: []probe.File{probe.Lookup}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := startLab(t)
			ep := at(l, l.Proxy("a", lab.Always(test.fault, test.only...)).URL())
			ep.SumDB = sumdbOf(t, l)
			r := (setup{}).prober(t, l).Deep(bound(t), ep)
			if r.Class != test.class || !strings.Contains(r.Detail, test.detail) {
				t.Errorf("got %s (%s), want %s (%s)", r.Class, r.Detail, test.class, test.detail)
			}
			var failed, files []probe.File
			for _, c := range r.Checks {
				files = append(files, c.File)
				if c.Class != probe.OK {
					failed = append(failed, c.File)
				}
			}
			if !slices.Equal(failed, test.failed) {
				t.Errorf("failed checks are %v, want %v", failed, test.failed)
			}
			if test.class == probe.OK && len(test.failed) == 0 && !slices.Equal(files, all) {
				t.Errorf("checks are %v", files)
			}
		})
	}
}

func TestDeepTree(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	dir := t.TempDir()
	must(t, l.WriteTree(dir, true))
	ep := at(l, "file://"+filepath.ToSlash(dir))
	ep.Kind, ep.SumDB = probe.KindFile, sumdbOf(t, l)
	r := (setup{}).prober(t, l).Deep(bound(t), ep)
	if r.Class != probe.OK || r.SumDB == nil || !r.SumDB.Supported {
		t.Errorf("got %s (%s), sumdb %+v", r.Class, r.Detail, r.SumDB)
	}
}

// TestRequestSums gives the caller what it needs to compare with go.sum.
func TestRequestSums(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	p := (setup{}).prober(t, l)
	ep := at(l, l.Proxy("a", nil).URL())
	for _, m := range l.Modules() {
		if m.Private {
			continue
		}
		zip := p.Request(bound(t), ep, m.Version, probe.Zip)
		mod := p.Request(bound(t), ep, m.Version, probe.Mod)
		want := m.Version.Path + " " + m.Version.Version + " " + zip.Sum + "\n" +
			m.Version.Path + " " + m.Version.Version + "/go.mod " + mod.Sum + "\n"
		if m.GoSum() != want {
			t.Errorf("got %q, go.sum says %q", want, m.GoSum())
		}
	}
}

// TestLabelDoesNotCount: module data that is labelled a web page is module data to
// the go command; what is not, and does not begin like one either, is a web page.
func TestLabelDoesNotCount(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	up := l.Proxy("up", lab.Always(lab.OK()))
	labelled := func(body func(r *http.Request) io.Reader) probe.Endpoint {
		return at(l, serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.Copy(w, body(r))
		}))
	}
	data := labelled(func(r *http.Request) io.Reader {
		res, err := http.Get(up.URL() + r.URL.Path)
		if err != nil {
			t.Error(err)
			return strings.NewReader("")
		}
		t.Cleanup(func() { res.Body.Close() })
		return res.Body
	})
	words := labelled(func(*http.Request) io.Reader { return strings.NewReader("Please log in first.") })
	p := (setup{}).prober(t, l)
	for _, f := range []probe.File{probe.Info, probe.Mod, probe.Zip} {
		if r := p.Request(bound(t), data, data.Module, f); r.Class != probe.OK {
			t.Errorf("%s: got %s (%s)", f, r.Class, r.Detail)
		}
		if r := p.Request(bound(t), words, words.Module, f); r.Class != probe.CaptivePortal {
			t.Errorf("%s in words: got %s (%s)", f, r.Class, r.Detail)
		}
	}
}

// TestRequestSeesWhatGoSees: an answer with the wrong content is told from none.
func TestRequestSeesWhatGoSees(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	p := (setup{}).prober(t, l)
	ep := at(l, l.Proxy("captive", lab.Always(lab.Captive())).URL())
	ep.SumDB = sumdbOf(t, l)
	for _, f := range []probe.File{probe.Info, probe.Mod, probe.Zip, probe.List, probe.Latest, probe.Supported, probe.Lookup} {
		if r := p.Request(bound(t), ep, ep.Module, f); r.Class != probe.CaptivePortal || !r.Whole {
			t.Errorf("%s: got %s, whole %v", f, r.Class, r.Whole)
		}
	}
	ep.URL = l.Proxy("broken", lab.Always(lab.Status(500, ""))).URL()
	for _, f := range []probe.File{probe.Info, probe.Mod, probe.Zip, probe.List, probe.Latest, probe.Supported, probe.Lookup, probe.Tile} {
		if r := p.Request(bound(t), ep, ep.Module, f); r.Class != probe.ServerError || r.Whole {
			t.Errorf("%s: got %s, whole %v", f, r.Class, r.Whole)
		}
	}
}
