package probe_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/lab"
)

// TestDownload: what comes whole is the file, and every fault has its name within
// the time that it may take.
func TestDownload(t *testing.T) {
	t.Parallel()
	l, err := lab.Start(lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	big := module.Version{Path: "lab.example.com/big", Version: "v1.0.0"}
	var want []byte
	for _, m := range l.Modules() {
		if m.Version == big {
			want = m.Zip
		}
	}
	e := &env.Env{Environ: l.GoEnv(t.TempDir(), "off")}
	soon := probe.Patience{FirstByte: 300 * time.Millisecond, Stall: 300 * time.Millisecond}
	for _, tt := range []struct {
		name  string
		fault lab.Fault
		class probe.Class
	}{
		{"ok", lab.OK(), probe.OK},
		{"404", lab.Status(404, "not found"), probe.NotFound},
		{"503", lab.Status(503, ""), probe.ServerError},
		{"refuse", lab.Refuse(), probe.Refused},
		{"hang", lab.Hang(), probe.Timeout},
		{"stall", lab.Stall(1000), probe.Stalled},
		{"reset", lab.Reset(), probe.Reset},
		{"truncated", lab.Of(lab.ModeTruncated), probe.Truncated},
		{"captive", lab.Captive(), probe.CaptivePortal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := probe.New(probe.DefaultConfig(), e)
			v := p.Visit(probe.Endpoint{URL: l.Proxy("p-"+tt.name, lab.Always(tt.fault)).URL(), Kind: probe.KindProxy})
			defer v.Close()
			var got bytes.Buffer
			began := 0
			r := v.Download(t.Context(), big, probe.Zip, &got, soon, func(int64) { began++ })
			if r.Class != tt.class {
				t.Fatalf("the class is %s (%s), want %s", r.Class, r.Detail, tt.class)
			}
			if tt.class == probe.OK && (!bytes.Equal(got.Bytes(), want) || began != 1) {
				t.Errorf("%d bytes of %d, begun %d times", got.Len(), len(want), began)
			}
		})
	}
	t.Run("the writer fails", func(t *testing.T) {
		t.Parallel()
		v := probe.New(probe.DefaultConfig(), e).Visit(probe.Endpoint{URL: l.Proxy("w", nil).URL(), Kind: probe.KindProxy})
		defer v.Close()
		if r := v.Download(t.Context(), big, probe.Zip, broken{}, soon, nil); r.Class == probe.OK || r.Detail == "" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("file tree", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := l.WriteTree(dir, false); err != nil {
			t.Fatal(err)
		}
		v := probe.New(probe.DefaultConfig(), e).Visit(probe.Endpoint{URL: "file://" + dir, Kind: probe.KindFile})
		defer v.Close()
		var got bytes.Buffer
		if r := v.Download(t.Context(), big, probe.Zip, &got, soon, nil); r.Class != probe.OK || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s %s, %d bytes", r.Class, r.Detail, got.Len())
		}
		if r := v.Download(t.Context(), module.Version{Path: "lab.example.com/none", Version: "v1.0.0"}, probe.Mod, &got, soon, nil); r.Class != probe.NotFound {
			t.Errorf("%s %s", r.Class, r.Detail)
		}
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }
