package env

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"

	"gpx/envctl/bounded"
)

// A memo remembers what one go command said in one world ([Env.world]), in a file
// of its own:
//
//	<hex SHA-256 of the rest>
//	{"made":{…},"path":{…}}
//
// One that is cut or changed is not read. Where anything of the world is another
// one, or is not understood, the go command is asked.
type memo struct {
	file string
	// Made are the values that it said, but for those of repeated: these stand where
	// they were set, and may hold a password.
	Made map[string]string `json:"made"`
	// Path says what the go command found on PATH under the names of programs; ""
	// where it found none.
	Path map[string]string `json:"path"`
}

const (
	// maxMemos bounds the files of memos: a few shells in some projects.
	maxMemos = 64
	// maxMemo bounds one, in bytes: it has about a thousand.
	maxMemo = 1 << 16
)

// repeated are variables of which go env says what was set, or a default that
// does not depend on anything else, and that nothing else in its answer depends on.
var repeated = []string{
	"GOAUTH", "GOCACHEPROG", "GOFLAGS", "GOINSECURE", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN", "GOVCS",
}

// memoOf is the memo of e's world in dir, empty when there is none yet; nil when
// the go command is to be asked whatever there is.
func (e *Env) memoOf(dir string) *memo {
	if dir == "" || e.Go == "" || e.endless {
		return nil
	}
	world, ok := e.world()
	if !ok {
		return nil
	}
	m := &memo{file: filepath.Join(dir, world)}
	data, err := bounded.ReadFile(m.file, maxMemo)
	if err != nil {
		return m
	}
	seal, body, _ := bytes.Cut(data, []byte("\n"))
	if string(seal) != sealOf(body) || json.Unmarshal(body, m) != nil {
		m.Made, m.Path = nil, nil
	}
	return m
}

func sealOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// recall is what the go command would say, nil when it must be asked.
func (m *memo) recall(e *Env) map[string]string {
	if m == nil || m.Made == nil {
		return nil
	}
	for name, had := range m.Path {
		if onPath(e.OSEnv("PATH"), name) != had {
			return nil
		}
	}
	return m.Made
}

// keep writes down what the go command said, when e would be the same without
// asking it. That the world is the one that it was before is looked at again, the
// user file with it: the go command has read that later than e.
func (m *memo) keep(e *Env, l layers, said map[string]string) {
	if m == nil || said == nil {
		return
	}
	made := maps.Clone(said)
	for _, name := range repeated {
		delete(made, name)
	}
	path, ok := e.programs(l, said)
	if !ok || !e.isGo(said) || !reflect.DeepEqual(l.vars(made, e), e.Vars) {
		return
	}
	m.Made, m.Path = made, path
	now := &Env{Environ: e.Environ, Dir: e.Dir, Go: e.Go}
	now.readUserFile()
	if again := now.memoOf(filepath.Dir(m.file)); again == nil || again.file != m.file || m.recall(e) == nil {
		return
	}
	_ = m.write() // else it is asked again the next time, and that is all
}

// write puts a file in place whole.
func (m *memo) write() error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	dir := filepath.Dir(m.file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	bounded.MakeRoom(dir, maxMemos)
	tmp, err := os.CreateTemp(dir, "*.tmp") // 0600
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(tmp, "%s\n%s", sealOf(body), body)
	if end := tmp.Close(); err == nil {
		err = end
	}
	if err == nil {
		err = os.Rename(tmp.Name(), m.file)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

// isGo reports whether what answered is a go command whose sources world was
// written after, and no program in its place that asks another one.
func (e *Env) isGo(said map[string]string) bool {
	file, err := filepath.EvalSymlinks(e.Go)
	if err != nil {
		return false
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil || info.Path != "cmd/go" || info.GoVersion != said["GOVERSION"] {
		return false
	}
	root, _, _ := e.rootOf(file)
	return said["GOROOT"] == root && isRead(info.GoVersion)
}
