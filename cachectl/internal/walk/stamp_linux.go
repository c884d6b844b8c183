package walk

import (
	"io/fs"
	"syscall"
)

func stampOfInfo(info fs.FileInfo) Stamp {
	s := Stamp{MTime: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.Inode, s.CTime = st.Ino, st.Ctim.Nano()
	}
	return s
}
