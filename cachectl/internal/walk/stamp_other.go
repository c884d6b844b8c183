//go:build !linux && !darwin

package walk

import "io/fs"

func stampOfInfo(info fs.FileInfo) Stamp { return Stamp{MTime: info.ModTime().UnixNano()} }
