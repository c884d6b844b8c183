package probe

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
)

// moduleURL is the URL that the go command asks for a file of a module
// (modfetch.newProxyRepo and proxyRepo.getBody).
func moduleURL(base *url.URL, m module.Version, f File) (*url.URL, error) {
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return nil, err
	}
	name := "@latest"
	switch f {
	case List:
		name = "@v/list"
	case Info, Mod, Zip:
		v, err := module.EscapeVersion(m.Version)
		if err != nil {
			return nil, err
		}
		name = "@v/" + v + "." + string(f)
	}
	u := *base
	u.Path = path.Join(strings.TrimSuffix(base.Path, "/")+"/"+escaped, name)
	u.RawPath = path.Join(strings.TrimSuffix(base.RawPath, "/")+"/"+escapePath(escaped), escapePath(name))
	return &u, nil
}

// escapePath escapes what may not stand in a URL's path, "/" excepted.
func escapePath(s string) string { return strings.ReplaceAll(url.PathEscape(s), "%2F", "/") }

// joinURL appends path elements to a URL as cmd/go/internal/web.Join does.
func joinURL(u *url.URL, elems string) *url.URL {
	j := *u
	j.Path = strings.TrimSuffix(u.Path, "/") + "/" + strings.TrimPrefix(elems, "/")
	j.RawPath = strings.TrimSuffix(u.RawPath, "/") + "/" + strings.TrimPrefix(elems, "/")
	return &j
}

// limitOf is how much of a file is read. A list and a go.mod can rightly be
// larger than the limit for everything else.
func (p *Prober) limitOf(f File) int64 {
	switch f {
	case Mod, Zip, List:
		return p.cfg.ZipLimit
	default:
		return p.cfg.BodyLimit
	}
}

// A versionInfo is what the go command reads of an .info (modfetch.RevInfo): a
// field of another type is an error to it, too.
type versionInfo struct {
	Version string
	Time    time.Time
	Origin  *struct {
		VCS, URL, Subdir, Hash, TagPrefix, TagSum, Ref, RepoSum string
	}
}

// judge looks at the content of a complete answer, and refines the finding. It
// returns the h1: hash of a .mod or .zip.
func (x *exchange) judge(ctx context.Context, m module.Version, f File) (sum string) {
	if f == Zip && x.class == TooLarge && x.size <= maxZip {
		// The go command takes a zip up to 500 MB; only gpx reads less.
		x.finding = finding{OK, LayerHTTP, "larger than gpx reads: its hash was not checked"}
		return ""
	}
	if x.class != OK || x.partial {
		return ""
	}
	switch f {
	case Mod:
		sum = ModSum(x.body)
	case Zip:
		sum = x.judgeZip(ctx, m)
	}
	switch {
	case x.html:
		x.finding = finding{CaptivePortal, LayerProtocol, "a web page instead of " + describe(f)}
	case f == Info, f == Latest:
		x.judgeInfo(m, f)
	case f == Mod && modfile.ModulePath(x.body) == "":
		x.finding = finding{ProtocolInvalid, LayerProtocol, "no go.mod: the module line is missing"}
	}
	if x.class == ProtocolInvalid && x.labelled && !json.Valid(x.body) {
		// Servers label module data text/html by mistake, and the go command does
		// not look: the label counts only where the content is wrong.
		x.finding = finding{CaptivePortal, LayerProtocol, "a web page instead of " + describe(f)}
	}
	if x.class == OK {
		x.layer = LayerContent
	}
	return sum
}

// judgeInfo checks an .info as proxyRepo.Stat does.
func (x *exchange) judgeInfo(m module.Version, f File) {
	var info versionInfo
	if err := json.Unmarshal(x.body, &info); err != nil {
		x.finding = finding{ProtocolInvalid, LayerProtocol, "not the JSON of " + describe(f) + ": " + err.Error()}
		return
	}
	if f == Info && info.Version != m.Version &&
		m.Version == module.CanonicalVersion(m.Version) && module.Check(m.Path, m.Version) == nil {
		x.finding = finding{ProtocolInvalid, LayerProtocol,
			fmt.Sprintf("info for version %q instead of %s", info.Version, m.Version)}
	}
}

// judgeZip hashes a zip as modfetch.hashZip does, in memory.
func (x *exchange) judgeZip(ctx context.Context, m module.Version) (sum string) {
	r, err := zip.NewReader(bytes.NewReader(x.body), int64(len(x.body)))
	if err != nil {
		x.finding = finding{ProtocolInvalid, LayerProtocol, err.Error()}
		return ""
	}
	files := make(map[string]*zip.File, len(r.File))
	names := make([]string, 0, len(r.File))
	prefix := m.Path + "@" + m.Version + "/"
	var total uint64
	for _, f := range r.File {
		if !strings.HasPrefix(f.Name, prefix) {
			x.finding = finding{ProtocolInvalid, LayerProtocol, fmt.Sprintf("unexpected file %q in the zip", f.Name)}
			return ""
		}
		files[f.Name] = f
		names = append(names, f.Name)
		total += f.UncompressedSize64
	}
	if total > maxZip { // as golang.org/x/mod/zip.MaxZipFile; sizes that lie are an error of the reader
		x.finding = finding{ProtocolInvalid, LayerProtocol, "a zip that unpacks to more than 500 MB"}
		return ""
	}
	sum, err = dirhash.Hash1(names, func(name string) (io.ReadCloser, error) {
		rc, err := files[name].Open()
		return readUntil{ctx, rc}, err
	})
	if ctx.Err() != nil {
		x.detail = "its hash was not checked: no time was left"
		return ""
	}
	if err != nil {
		x.finding = finding{ProtocolInvalid, LayerContent, err.Error()}
		return ""
	}
	return sum
}

// readUntil is a reader that ends with ctx: what a small zip unpacks to can take
// long to read.
type readUntil struct {
	ctx context.Context
	io.ReadCloser
}

func (r readUntil) Read(data []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.ReadCloser.Read(data)
}

// ModSum is the go.sum hash of a go.mod (modfetch.goModSum).
func ModSum(data []byte) string {
	sum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
	if err != nil {
		return "" // no such error: the name has no newline and the reader cannot fail
	}
	return sum
}

// describe names a file in a sentence.
func describe(f File) string {
	switch f {
	case Info, Mod, Zip:
		return "." + string(f)
	case List:
		return "@v/list"
	case Latest:
		return "@latest"
	default:
		return "/sumdb/…/" + string(f)
	}
}
