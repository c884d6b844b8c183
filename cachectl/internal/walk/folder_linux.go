package walk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// direntBuffer is what one getdents64 may fill; larger ones gain nothing, since
// most folders need one call, and another that says that it was the last.
const direntBuffer = 32 << 10

var direntBuffers = sync.Pool{New: func() any { return new([direntBuffer]byte) }}

// openFlags open a folder, and nothing else.
const openFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// A linuxFolder is a folder by its descriptor.
type linuxFolder struct {
	fd int
}

// openNative opens the folder where a walk begins.
func openNative(name string) (folder, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(name, openFlags&^unix.O_NOFOLLOW, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &linuxFolder{fd: fd}, nil
}

func (f *linuxFolder) close() { unix.Close(f.fd) }

func (f *linuxFolder) stamp() (Stamp, error) {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return Stamp{}, os.NewSyscallError("fstat", err)
	}
	return stampOf(&st), nil
}

func (f *linuxFolder) open(rel string) (folder, error) {
	fd, err := openBelow(f.fd, rel)
	if err != nil {
		return nil, os.NewSyscallError("open", err)
	}
	return &linuxFolder{fd: fd}, nil
}

// openBelow opens a folder by a path none of whose names may be a symbolic
// link. The kernel sees to that since Linux 5.6; where it is older, or a filter
// of a container denies the call, each name is opened below the one before.
func openBelow(fd int, rel string) (int, error) {
	if hasOpenat2() {
		return retry(func() (int, error) {
			return unix.Openat2(fd, rel, &unix.OpenHow{Flags: openFlags, Resolve: unix.RESOLVE_NO_SYMLINKS})
		})
	}
	return openByName(fd, rel)
}

func openByName(fd int, rel string) (int, error) {
	for first := true; ; first = false {
		name, rest, more := strings.Cut(rel, "/")
		next, err := retry(func() (int, error) { return unix.Openat(fd, name, openFlags, 0) })
		if !first {
			unix.Close(fd)
		}
		if err != nil || !more {
			return next, err
		}
		fd, rel = next, rest
	}
}

// hasOpenat2 tries the call where nothing else can be wrong.
var hasOpenat2 = sync.OnceValue(func() bool {
	fd, err := unix.Openat2(unix.AT_FDCWD, "/", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
})

// A struct linux_dirent64 is an inode (8 bytes), an offset (8), its own length
// (2), a type (1) and a name that ends with NUL.
const (
	direntLen  = 16
	direntType = 18
	direntName = 19
)

func (f *linuxFolder) next(batch []Entry, stats bool, failed func(string, error)) ([]Entry, error) {
	buf := direntBuffers.Get().(*[direntBuffer]byte)
	defer direntBuffers.Put(buf)
	n, err := retry(func() (int, error) { return unix.ReadDirent(f.fd, buf[:]) })
	if err != nil {
		return batch, os.NewSyscallError("getdents64", err)
	}
	if n == 0 {
		return batch, io.EOF
	}
	for rest := buf[:n]; len(rest) > direntName; {
		size := int(binary.NativeEndian.Uint16(rest[direntLen:]))
		if size <= direntName || size > len(rest) {
			return batch, os.NewSyscallError("getdents64", unix.EIO)
		}
		kind, name := rest[direntType], rest[direntName:size]
		rest = rest[size:]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if string(name) == "." || string(name) == ".." {
			continue
		}
		e := Entry{Name: string(name), Type: typeOf(kind)}
		if stats || kind == unix.DT_REG || kind == unix.DT_UNKNOWN {
			measured, err := f.stat(e.Name)
			if err != nil {
				if !errors.Is(err, fs.ErrNotExist) {
					failed(e.Name, err)
				}
				continue
			}
			e = measured
		}
		batch = append(batch, e)
	}
	return batch, nil
}

func (f *linuxFolder) stat(rel string) (Entry, error) {
	var st unix.Stat_t
	_, err := retry(func() (int, error) { return 0, unix.Fstatat(f.fd, rel, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return Entry{}, os.NewSyscallError("fstatat", err)
	}
	// The file types of st_mode are the directory entries' types, shifted.
	return Entry{Name: rel, Type: typeOf(uint8(st.Mode & unix.S_IFMT >> 12)), Size: st.Size, Stamp: stampOf(&st)}, nil
}

func stampOf(st *unix.Stat_t) Stamp {
	return Stamp{Inode: st.Ino, MTime: st.Mtim.Nano(), CTime: st.Ctim.Nano()}
}

// typeOf is the type of a directory entry as package fs has it.
func typeOf(kind uint8) fs.FileMode {
	switch kind {
	case unix.DT_REG:
		return 0
	case unix.DT_DIR:
		return fs.ModeDir
	case unix.DT_LNK:
		return fs.ModeSymlink
	case unix.DT_FIFO:
		return fs.ModeNamedPipe
	case unix.DT_SOCK:
		return fs.ModeSocket
	case unix.DT_CHR:
		return fs.ModeDevice | fs.ModeCharDevice
	case unix.DT_BLK:
		return fs.ModeDevice
	}
	return fs.ModeIrregular
}

// retry repeats a call that a signal interrupted.
func retry[T any](call func() (T, error)) (T, error) {
	for {
		if v, err := call(); err != unix.EINTR {
			return v, err
		}
	}
}
