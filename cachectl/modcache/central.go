package modcache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
)

// A zip ends with its central directory, which has the uncompressed size of
// every file: what the extracted tree will hold stands there without a walk.
//
//	… file data …
//	central directory: one header per file     PK\1\2
//	[zip64 end of the directory, its locator]  PK\6\6  PK\6\7
//	end of the directory, comment              PK\5\6
//
// Package archive/zip reads the same, but keeps every header: it needs 300
// bytes a file and five times as long.
const (
	zipEnd       = "PK\x05\x06"
	zipHeader    = "PK\x01\x02"
	zip64End     = "PK\x06\x06"
	zip64Locator = "PK\x06\x07"

	zipEndLen       = 22
	zipHeaderLen    = 46
	zip64EndLen     = 56
	zip64LocatorLen = 20
	zip64Extra      = 1 // the tag of the extra field with sizes of 64 bits

	// zipTail is where archive/zip looks for the end: a comment is that long.
	zipTail = 65 << 10
	// zipBuffer is read from the end at once. It holds the whole directory of
	// most modules: a header with its name has about 100 bytes.
	zipBuffer = 32 << 10
)

var errZip = errors.New("not a valid zip file")

// unzipped adds up what the files of a zip hold once they are extracted, as
// x/mod/zip extracts them: a name that ends with a slash makes no file. It
// accepts the directories that archive/zip accepts, and it needs no memory
// beyond buf, which has at least zipTail bytes, however large the directory is.
func unzipped(r io.ReaderAt, size int64, buf []byte) (total, files int64, err error) {
	w := zipWindow{r: r, size: size, buf: buf}
	end, err := w.findEnd()
	if err != nil {
		return 0, 0, err
	}
	records, at, err := w.directory(end)
	if err != nil {
		return 0, 0, err
	}
	var n uint16 // the count in the end is cut to 16 bits
	for {
		h, err := w.header(at)
		if errors.Is(err, errZip) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
		at += h.len
		n++
		if h.file {
			files++
			total += min(h.size, math.MaxInt64-total)
		}
	}
	if n != uint16(records) {
		return 0, 0, errZip
	}
	return total, files, nil
}

// A zipWindow is the part of a file that was read last.
type zipWindow struct {
	r    io.ReaderAt
	size int64
	buf  []byte
	at   int64 // where buf[:n] is in the file
	n    int
}

// bytes are n bytes at an offset, valid until the next call.
func (w *zipWindow) bytes(at int64, n int) ([]byte, error) {
	if at < 0 || at > w.size-int64(n) {
		return nil, errZip
	}
	if at < w.at || at+int64(n) > w.at+int64(w.n) {
		want := int(min(int64(len(w.buf)), w.size-at))
		if err := w.fill(at, max(n, want)); err != nil {
			return nil, err
		}
	}
	from := int(at - w.at)
	return w.buf[from : from+n], nil
}

func (w *zipWindow) fill(at int64, n int) error {
	w.n = 0
	if n > len(w.buf) {
		w.buf = make([]byte, n)
	}
	got, err := w.r.ReadAt(w.buf[:n], at)
	if got < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = errZip // it is being cut short
		}
		return err
	}
	w.at, w.n = at, n
	return nil
}

// findEnd is the offset of the directory's end.
func (w *zipWindow) findEnd() (int64, error) {
	for _, tail := range []int64{zipBuffer, zipTail} {
		tail = min(tail, w.size)
		if err := w.fill(w.size-tail, int(tail)); err != nil {
			return 0, err
		}
		b := w.buf[:tail]
		i := bytes.LastIndex(b[:max(0, len(b)-zipEndLen+len(zipEnd))], []byte(zipEnd))
		if i < 0 {
			continue
		}
		if comment := int(binary.LittleEndian.Uint16(b[i+zipEndLen-2:])); i+zipEndLen+comment > len(b) {
			return 0, errZip
		}
		return w.size - tail + int64(i), nil
	}
	return 0, errZip
}

// directory is the number of headers and where the first one is.
func (w *zipWindow) directory(end int64) (records uint64, at int64, err error) {
	b, err := w.bytes(end, zipEndLen)
	if err != nil {
		return 0, 0, err
	}
	records = uint64(binary.LittleEndian.Uint16(b[10:]))
	size, offset := uint64(binary.LittleEndian.Uint32(b[12:])), uint64(binary.LittleEndian.Uint32(b[16:]))
	// archive/zip compares the size with 16 bits, too.
	if records == math.MaxUint16 || size == math.MaxUint16 || offset == math.MaxUint32 {
		end64, ok, err := w.locate64(end)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			b, err := w.bytes(end64, zip64EndLen)
			if err != nil {
				return 0, 0, err
			}
			if string(b[:4]) != zip64End {
				return 0, 0, errZip
			}
			end = end64
			records = binary.LittleEndian.Uint64(b[32:])
			size, offset = binary.LittleEndian.Uint64(b[40:]), binary.LittleEndian.Uint64(b[48:])
		}
	}
	if size > math.MaxInt64 || offset > math.MaxInt64 {
		return 0, 0, errZip
	}
	// Something may stand before the archive, so that its offsets are off by as
	// much; or only the end is wrong about that.
	base := end - int64(size) - int64(offset)
	if first := base + int64(offset); first < 0 || first >= w.size {
		return 0, 0, errZip
	}
	if base > 0 {
		if _, err := w.header(int64(offset)); err == nil {
			base = 0
		}
	}
	return records, base + int64(offset), nil
}

// locate64 looks for the end with numbers of 64 bits.
func (w *zipWindow) locate64(end int64) (at int64, ok bool, err error) {
	if end < zip64LocatorLen {
		return 0, false, nil
	}
	b, err := w.bytes(end-zip64LocatorLen, zip64LocatorLen)
	if err != nil {
		return 0, false, err
	}
	if string(b[:4]) != zip64Locator || binary.LittleEndian.Uint32(b[4:]) != 0 || binary.LittleEndian.Uint32(b[16:]) != 1 {
		return 0, false, nil
	}
	at = int64(binary.LittleEndian.Uint64(b[8:]))
	return at, at >= 0, nil
}

// A fileHeader is what is wanted of a file's header.
type fileHeader struct {
	len  int64 // of the header itself
	size int64 // of the file, once it is extracted
	file bool  // not a folder
}

// header reads the header at an offset; errZip says that there is none. The
// directory's end comes after the last header, so the file's end cannot.
func (w *zipWindow) header(at int64) (fileHeader, error) {
	if at == w.size {
		return fileHeader{}, io.ErrUnexpectedEOF
	}
	b, err := w.bytes(at, zipHeaderLen)
	if err != nil {
		return fileHeader{}, err
	}
	if string(b[:4]) != zipHeader {
		return fileHeader{}, errZip
	}
	packed, size := binary.LittleEndian.Uint32(b[20:]), uint64(binary.LittleEndian.Uint32(b[24:]))
	name, extra := int(binary.LittleEndian.Uint16(b[28:])), int(binary.LittleEndian.Uint16(b[30:]))
	comment, offset := int(binary.LittleEndian.Uint16(b[32:])), binary.LittleEndian.Uint32(b[42:])
	length := zipHeaderLen + name + extra + comment
	if length > zipHeaderLen && at+zipHeaderLen == w.size {
		return fileHeader{}, io.ErrUnexpectedEOF
	}
	if b, err = w.bytes(at, length); err != nil {
		return fileHeader{}, err
	}
	h := fileHeader{len: int64(length), file: name > 0 && b[zipHeaderLen+name-1] != '/'}
	if packed == math.MaxUint32 || size == math.MaxUint32 || offset == math.MaxUint32 {
		extras := b[zipHeaderLen+name : zipHeaderLen+name+extra]
		if size, err = size64(extras, size, packed == math.MaxUint32, offset == math.MaxUint32); err != nil {
			return fileHeader{}, err
		}
	}
	h.size = int64(min(size, math.MaxInt64))
	return h, nil
}

// size64 is the file's size by the extra field for sizes of 64 bits, which holds
// those numbers, in this order, for which 32 bits were too few.
func size64(extras []byte, size uint64, needPacked, needOffset bool) (uint64, error) {
	needSize := size == math.MaxUint32
	for len(extras) >= 4 {
		tag, n := binary.LittleEndian.Uint16(extras), int(binary.LittleEndian.Uint16(extras[2:]))
		if extras = extras[4:]; n > len(extras) {
			break
		}
		field := extras[:n]
		extras = extras[n:]
		if tag != zip64Extra {
			continue
		}
		for _, need := range []*bool{&needSize, &needPacked, &needOffset} {
			if !*need {
				continue
			}
			if len(field) < 8 {
				return 0, errZip
			}
			if need == &needSize {
				size = binary.LittleEndian.Uint64(field)
			}
			*need, field = false, field[8:]
		}
	}
	if needPacked || needOffset {
		return 0, errZip // a size of exactly 2³²-1 may be what is meant
	}
	return size, nil
}

// unzippedFile is unzipped for the zip at a path.
func unzippedFile(name string, buf []byte) (total, files int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	return unzipped(f, info.Size(), buf)
}
