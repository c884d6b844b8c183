package parcel

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe/monitor"
)

const (
	format  = "gpx-incident"
	version = 1
	// maxBytes bounds the file and what it unfolds to. A day of ten endpoints
	// asked every 5 s is some 30 MB of JSON.
	maxBytes = 64 << 20
)

// file is the document.
type file struct {
	Format    string              `json:"format"`
	Version   int                 `json:"version"`
	Recording *incident.Recording `json:"recording"`
}

// Encode writes r, which stays as it is, without credentials and without the
// numbers that mean something on this machine only.
func Encode(w io.Writer, r *incident.Recording) error {
	data, err := document(r)
	if err != nil {
		return fmt.Errorf("export of the incident: %w", err)
	}
	// A gzip header without a name and a time: the same recording, the same file.
	zw := gzip.NewWriter(w)
	if _, err := zw.Write(data); err != nil {
		return err
	}
	return zw.Close()
}

func document(r *incident.Recording) ([]byte, error) {
	c, err := clone(r)
	if err != nil {
		return nil, err
	}
	normalize(c)
	tidy(c)
	if err := check(c); err != nil {
		return nil, err
	}
	data, err := json.Marshal(file{format, version, c})
	if err != nil {
		return nil, err
	}
	if len(data) > maxBytes {
		return nil, errors.New(tooLarge)
	}
	return data, count(data)
}

// Decode reads what [Encode] wrote, and refuses everything else with one line. The
// incident has no ID, and is marked as seen on another machine.
func Decode(r io.Reader) (*incident.Recording, error) {
	data, err := unzip(r, maxBytes)
	if err == nil {
		var rec *incident.Recording
		if rec, err = parse(data); err == nil {
			rec.Incident.Imported = true
			return rec, nil
		}
	}
	return nil, fmt.Errorf("incident file: %w", err)
}

// What is wrong with a file as a whole, and what to do about it.
const (
	tooLarge = "it is larger than 64 MiB when it is unfolded: ask for a shorter recording"
	cutShort = "it is cut short: copy it again"
	damaged  = "it is damaged: copy it again"
	trailing = "something follows its end: copy it again, and send one incident in one file"
	foreign  = "this is no incident of gpx: take a file that this wrote: gpx history export N -o FILE"
)

// unzip reads a file of at most limit bytes that unfolds to at most as many.
func unzip(r io.Reader, limit int64) ([]byte, error) {
	limited := &io.LimitedReader{R: r, N: limit}
	buffered := bufio.NewReader(limited)
	zr, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, unzipError(err, limited)
	}
	zr.Multistream(false)
	data, err := io.ReadAll(io.LimitReader(zr, limit+1))
	if err != nil {
		return nil, unzipError(err, limited)
	}
	if int64(len(data)) > limit {
		return nil, errors.New(tooLarge)
	}
	if _, err := buffered.ReadByte(); err != io.EOF {
		return nil, errors.New(trailing)
	}
	return data, nil
}

func unzipError(err error, limited *io.LimitedReader) error {
	switch {
	case limited.N == 0:
		return errors.New(tooLarge)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New(cutShort)
	case errors.Is(err, gzip.ErrHeader):
		return errors.New(foreign)
	case errors.Is(err, gzip.ErrChecksum):
		return errors.New(damaged)
	}
	if _, ok := errors.AsType[flate.CorruptInputError](err); ok {
		return errors.New(damaged)
	}
	return fmt.Errorf("it cannot be read: %s", redact.Text(err.Error()))
}

func parse(data []byte) (*incident.Recording, error) {
	// First what it is: a later version may hold what this one does not know.
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, errors.New(foreign)
		}
		return nil, jsonError(err)
	}
	switch {
	case head.Format != format:
		return nil, errors.New(foreign)
	case head.Version > version:
		return nil, fmt.Errorf("its version is %d, and this gpx reads up to %d: update gpx", head.Version, version)
	case head.Version < 1:
		return nil, fmt.Errorf("there is no version %d of it: %s", head.Version, foreign)
	}
	if err := count(data); err != nil {
		return nil, err
	}
	var f file
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, jsonError(err)
	}
	if f.Recording == nil {
		return nil, errors.New("there is no recording in it: export it again")
	}
	if err := check(f.Recording); err != nil {
		return nil, err
	}
	normalize(f.Recording)
	tidy(f.Recording)
	return f.Recording, nil
}

func jsonError(err error) error {
	return fmt.Errorf("%s; update gpx if a newer one wrote it, or else export it again", redact.Text(err.Error()))
}

// clone is a deep copy of what the file keeps of r.
func clone(r *incident.Recording) (*incident.Recording, error) {
	slim := *r
	slim.Samples = nil // the bulk of it, and flat
	data, err := json.Marshal(slim)
	if err != nil {
		return nil, err
	}
	c := new(incident.Recording)
	if err := json.Unmarshal(data, c); err != nil {
		return nil, err
	}
	c.Samples = slices.Clone(r.Samples)
	return c, nil
}

// normalize takes out of r what is another machine's, and makes again what
// follows from the rest.
func normalize(r *incident.Recording) {
	i := &r.Incident
	i.ID = 0
	for n := range i.Events {
		i.Events[n].Change = "" // a number in another journal
	}
	i.RTO = nil
	if !i.Mitigated.IsZero() {
		rto := wire.Millis(i.Mitigated.Sub(i.Opened.Time))
		i.RTO = &rto
	}
	for n := range r.Frames {
		for e := range r.Frames[n].Snapshot.Endpoints {
			r.Frames[n].Snapshot.Endpoints[e].Window = monitor.Window{} // made of the samples
		}
	}
	if r.Samples == nil {
		r.Samples = []incident.Sample{}
	}
}
