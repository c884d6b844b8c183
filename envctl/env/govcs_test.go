package env

import (
	"bytes"
	"strings"
	"testing"
)

// What GOVCS forbids is known without asking a go command, in its own words. Where
// nothing is forbidden, the go command looks for a tool that is not on its PATH.
func TestVCSRefusalAsTheGoCommand(t *testing.T) {
	t.Parallel()
	for _, govcs := range []string{
		"", "*:off", "*:git", "*:hg|git", "*:all", "public:off", "private:off", "private:git,public:off", "github.com:off", "github.com/corp:off",
		"github.com/corp/secret:hg,*:all", "corp.example.com:off", "github.com/corp:off,github.com:git", "public:off,github.com/corp:git", " github.com : git | hg ",
		"bad", ":git", "x:", "x:git|", "x:git,,y:hg", "./x:git", "x:git,x:hg", "..:git", ",",
	} {
		for _, m := range []struct{ module, tool, root string }{
			{"github.com/corp/secret", "git", "github.com/corp/secret"},
			{"github.com/corp/secret/sub", "git", "github.com/corp/secret"},
			{"github.com/world/one", "git", "github.com/world/one"},
			{"corp.example.com/x.git/y", "git", "corp.example.com/x.git"},
			{"corp.example.com/x.hg", "hg", "corp.example.com/x.hg"},
			{"world.example.com/x.svn", "svn", "world.example.com/x.svn"},
		} {
			w := newWorld(t)
			e := w.read(t, "GOROOT=", "GOVCS="+govcs, "GOPRIVATE=github.com/corp,corp.example.com")
			cmd := e.Command(t.Context(), "", "mod", "download", m.module+"@v1.0.0")
			// Should the go command find a tool after all, it gets nowhere.
			cmd.Env = append(cmd.Env, "PATH="+w.home, "GOPROXY=direct", "GOSUMDB=off", "GOFLAGS=-modcacherw", "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if cmd.Run() == nil {
				t.Fatalf("%q: the go command found %s", govcs, m.module)
			}
			refused := strings.Contains(stderr.String(), "GOVCS")
			err := e.VCSRefusal(m.tool, m.root)
			if (err != nil) != refused || refused && !strings.Contains(stderr.String(), err.Error()) {
				t.Errorf("%q, %s: %v, the go command says %s", govcs, m.module, err, &stderr)
			}
		}
	}
}
