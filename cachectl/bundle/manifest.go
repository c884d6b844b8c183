package bundle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/advice"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
)

// ManifestName is the name of the manifest, the first file of an archive.
const ManifestName = "gpx-bundle.json"

// manifestFormat is what this gpx writes and reads.
const manifestFormat = 1

// A Manifest says what a bundle of modules holds, before it comes.
type Manifest struct {
	Kind    string    `json:"kind"`   // "modules"
	Format  int       `json:"format"` // 1
	Created wire.Time `json:"created,omitzero"`
	Modules int       `json:"modules"` // versions with their zip
	Bytes   int64     `json:"bytes"`   // of Files together
	// Database is the name of the checksum database inside; empty without one.
	Database string `json:"database,omitempty"`
	// Heads are the signed tree heads under which a tree that grows has been
	// served, oldest first: clients remember them, so later ones must prove
	// that they continue them.
	Heads []string `json:"heads,omitempty"`
	// Unverifiable are path@version without a proof of the database.
	Unverifiable []string `json:"unverifiable,omitempty"`
	Files        []File   `json:"files"`
}

// kindModules tells a bundle of modules from one of a build cache.
const kindModules = "modules"

// A File is one line of the manifest: a file of the bundle, in its order.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`        // of its bytes, hexadecimal
	Sum    string `json:"sum,omitempty"` // of a zip: its h1, as in go.sum

	name name
}

// marshal writes one file a line: a manifest is also read by people.
func (m *Manifest) marshal() ([]byte, error) {
	files := m.Files
	head := *m
	head.Files = []File{}
	text, err := json.MarshalIndent(head, "", "\t")
	if err != nil {
		return nil, err
	}
	before, after, ok := bytes.Cut(text, []byte(`"files": []`))
	if !ok {
		return nil, errors.New("manifest: no place for its files")
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(`"files": [`)
	for i, f := range files {
		line, err := json.Marshal(f)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n\t\t")
		b.Write(line)
	}
	b.WriteString("\n\t]")
	b.Write(after)
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// errNewer: only a later gpx reads it.
var errNewer = advice.Add(errors.New("the bundle was made by a newer gpx, in a format that this one does not read"), "update gpx")

// parseManifest reads a manifest as what a stranger wrote. What it returns names
// every file once, understood, with a size within its limit and a well-formed
// hash.
func parseManifest(data []byte) (*Manifest, error) {
	// Before anything is unpacked into memory: an entry has more than the
	// braces around it, and nothing else in a manifest has braces.
	if bytes.Count(data, []byte("{")) > maxFiles+1 {
		return nil, fmt.Errorf("%s lists more than %d files", ManifestName, maxFiles)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, advice.Add(fmt.Errorf("%s cannot be read: it is not JSON as gpx writes it", ManifestName), "the bundle is damaged, fetch it again")
	}
	switch {
	case m.Format > manifestFormat:
		return nil, errNewer
	case m.Kind != kindModules:
		return nil, fmt.Errorf("%s is of a bundle of another kind: %q", ManifestName, redact.Clean(m.Kind))
	case m.Format != manifestFormat:
		return nil, fmt.Errorf("%s has no format", ManifestName)
	}
	if err := m.check(); err != nil {
		return nil, advice.Add(err, "the bundle is damaged, or no work of gpx: fetch it again")
	}
	return &m, nil
}

func (m *Manifest) check() error {
	seen := make(map[string]bool, len(m.Files))
	modules, total := 0, int64(0)
	for i := range m.Files {
		f := &m.Files[i]
		if err := f.check(); err != nil {
			return fmt.Errorf("%s: %w", ManifestName, err)
		}
		if seen[f.Path] {
			return fmt.Errorf("%s lists %s twice", ManifestName, f.Path)
		}
		seen[f.Path] = true
		total += f.Size
		if f.name.part == partZip {
			modules++
		}
		if f.name.db != "" && f.name.db != m.Database {
			return fmt.Errorf("%s: %s is of another database than %q", ManifestName, f.Path, redact.Clean(m.Database))
		}
	}
	if total != m.Bytes || modules != m.Modules {
		return fmt.Errorf("%s contradicts itself: it counts %d modules and %d bytes, and lists %d and %d", ManifestName, m.Modules, m.Bytes, modules, total)
	}
	return nil
}

func (f *File) check() error {
	n, ok, err := parseName(f.Path)
	if err != nil {
		return err
	}
	if !ok || n.part == partManifest {
		return fmt.Errorf("%s does not belong in a bundle", f.Path)
	}
	f.name = n
	if sum, err := hex.DecodeString(f.SHA256); err != nil || len(sum) != 32 || strings.ToLower(f.SHA256) != f.SHA256 {
		return fmt.Errorf("%s has no SHA-256", f.Path)
	}
	if f.Size < 0 || f.Size > limits[n.part] {
		return fmt.Errorf("%s: %d bytes, more than a %s may have (%d)", f.Path, f.Size, n.part, limits[n.part])
	}
	if n.part == partZip && !isSum(f.Sum) {
		return fmt.Errorf("%s has no h1 hash", f.Path)
	}
	return nil
}

// versions lists the module versions of the files, by path and version, with
// the parts that each has.
func versions(files []File) []Version {
	at := map[module.Version]int{}
	var list []Version
	for _, f := range files {
		switch f.name.part {
		case partInfo, partMod, partZip:
		default:
			continue
		}
		i, ok := at[f.name.version]
		if !ok {
			i = len(list)
			at[f.name.version] = i
			list = append(list, Version{Version: f.name.version})
		}
		v := &list[i]
		v.Bytes += f.Size
		switch f.name.part {
		case partInfo:
			v.Info = true
		case partMod:
			v.Mod = true
		case partZip:
			v.Zip, v.Sum = true, f.Sum
		}
	}
	slices.SortFunc(list, func(a, b Version) int { return compareVersions(a.Version, b.Version) })
	return list
}
