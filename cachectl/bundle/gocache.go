package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/mod/module"

	"gpx/cachectl/buildcache"
	"gpx/envctl/advice"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
)

// A bundle of a build cache is a .tar or .tar.zst. It saves the compiling where
// the settings are the same ([Predict]):
//
//	gpx-bundle.json      the manifest, first: what it was built with and for
//	<ab>/<id>-d          an output; <ab>/<id>-d/<program> where that is an executable
//	<ab>/<id>-a          the entries that lead to it, at least one
//	…                    outputs by their IDs, entries by theirs
//
// Nothing but this order is accepted, so no name needs to be remembered to see
// that it comes twice. An output proves itself, being named by the hash of its
// bytes. That it is what the compiler makes of some source nobody can prove: a
// build cache is code that the go command links and runs unseen.

// kindBuildCache is the kind of a bundle of a build cache.
const kindBuildCache = "build_cache"

// A BuildManifest says what a bundle of a build cache holds.
type BuildManifest struct {
	Kind     string        `json:"kind"`   // "build_cache"
	Format   int           `json:"format"` // 1
	Created  wire.Time     `json:"created,omitzero"`
	Settings BuildSettings `json:"settings"`
	// At most so many: what a go command trims while the bundle is written is
	// not in it.
	Outputs int   `json:"outputs"`
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

const (
	maxBuildManifest = 1 << 20
	// maxOutput bounds one output. Compiled packages have some MB, programs with
	// everything in them some hundred.
	maxOutput = 4 << 30
	// maxProgram bounds the name of an executable: what a tar header holds.
	maxProgram = 100
)

// parseBuildManifest reads a manifest as what a stranger wrote.
func parseBuildManifest(data []byte) (*BuildManifest, error) {
	var m BuildManifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, advice.Add(fmt.Errorf("%s cannot be read: it is not JSON as gpx writes it", ManifestName), "the bundle is damaged, fetch it again")
	}
	switch {
	case m.Kind != kindBuildCache:
		return nil, fmt.Errorf("%s is of a bundle of another kind: %q", ManifestName, redact.Clean(clip(m.Kind)))
	case m.Format > manifestFormat:
		return nil, errNewer
	case m.Format != manifestFormat:
		return nil, fmt.Errorf("%s has no format", ManifestName)
	case m.Outputs < 0 || m.Entries < m.Outputs || m.Outputs > maxFiles || m.Entries > maxFiles || m.Bytes < 0:
		return nil, fmt.Errorf("%s counts what cannot be: %d outputs, %d entries, %d bytes", ManifestName, m.Outputs, m.Entries, m.Bytes)
	}
	m.Settings = m.Settings.clean()
	return &m, nil
}

// A buildName is the place of a file in a build cache, understood.
type buildName struct {
	id      buildcache.ID
	entry   bool   // <id>-a
	program string // of an executable: the file's own name
}

var errBuildName = errors.New("a bundle of a build cache has only entries and outputs")

// parseBuildName accepts the names that a go command writes, and nothing else.
func parseBuildName(p string) (buildName, error) {
	var n buildName
	bad := func(err error) (buildName, error) {
		return n, fmt.Errorf("%q: %w", redact.Clean(clip(p)), err)
	}
	shard, rest, _ := strings.Cut(p, "/")
	file, program, isProgram := strings.Cut(rest, "/")
	id, kind, ok := buildcache.ParseName(shard, file)
	if !ok || isProgram && kind != 'd' {
		return bad(errBuildName)
	}
	n.id, n.entry = id, kind == 'a'
	if !isProgram {
		return n, nil
	}
	n.program = program
	if err := checkProgram(program); err != nil {
		return bad(err)
	}
	return n, nil
}

// checkProgram refuses names that are no plain file name on every system, and
// those that a plain tar header cannot hold.
func checkProgram(name string) error {
	switch {
	case len(name) == 0 || len(name) > maxProgram:
		return errors.New("no name for a program")
	case strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r < ' ' || r > '~' }):
		return errors.New("a program's name with a slash, or not in ASCII")
	}
	if err := module.CheckFilePath(name); err != nil {
		return fmt.Errorf("not a program's name: %s", redact.Clean(err.Error()))
	}
	return nil
}

// outputPath and entryPath are the places of files in a bundle and in a cache.
func outputPath(id buildcache.ID) string { return path.Join(id.Shard(), id.OutputFile()) }
func entryPath(id buildcache.ID) string  { return path.Join(id.Shard(), id.ActionFile()) }
