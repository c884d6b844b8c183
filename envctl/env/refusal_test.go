package env

import (
	"bytes"
	"strings"
	"testing"
)

// What stops every go command that wants a module is known without asking one,
// in its own words. The module's .info is refused by GOPROXY=off at the latest.
func TestRefusalAsTheGoCommand(t *testing.T) {
	t.Parallel()
	for _, settings := range [][]string{
		{}, {"GOPATH=rel"}, {"GOPATH=~/go"}, {"GOPATH=/a::/b"}, {"GOPATH=/a:rel"}, {"GOPATH=rel", "GOMODCACHE=/srv/mod"},
		{"GOMODCACHE=rel"}, {"HOME=", "GOPATH=", "GOMODCACHE="}, {"GOMODCACHE=rel", "GOFLAGS=word"},
		{"GO111MODULE=off"}, {"GO111MODULE=auto"}, {"GO111MODULE=on"}, {"GO111MODULE=perhaps"}, {"GO111MODULE=ON"},
		{"GOFLAGS=word"}, {"GOFLAGS=-mod mod"}, {"GOFLAGS=-"}, {"GOFLAGS=--"}, {"GOFLAGS=---mod=mod"}, {"GOFLAGS=-=x"}, {"GOFLAGS=--=x"},
		{"GOFLAGS=-mod=mod --modcacherw"}, {"GOFLAGS='-ldflags=-w -s' -x"}, {`GOFLAGS="-ldflags=-w" word`},
		{"GOFLAGS=word", "GO111MODULE=off", "GOMODCACHE=rel"}, {"GO111MODULE=off", "GOMODCACHE=rel"}, {"GOPATH=rel", "GOFLAGS=word"},
	} {
		e := newWorld(t).read(t, append([]string{"GOROOT="}, settings...)...)
		cmd := e.Command(t.Context(), "", "mod", "download", "lab.example.com/m@v1.0.0")
		cmd.Env = append(cmd.Env, "GOPROXY=off")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if cmd.Run() == nil {
			t.Errorf("%q: the go command found a module", settings)
		}
		refused := !strings.Contains(stderr.String(), "module lookup disabled by GOPROXY=off")
		switch err := e.Refusal(); {
		case (err != nil) != refused:
			t.Errorf("%q: %v, the go command says %s", settings, err, &stderr)
		case refused && !strings.HasPrefix(stderr.String(), "go: "+err.Error()):
			t.Errorf("%q: %v, the go command says %s", settings, err, &stderr)
		}
	}
}
