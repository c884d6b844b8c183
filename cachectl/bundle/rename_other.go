//go:build !linux

package bundle

// renameNew renames a file that must not replace another.
func renameNew(from, to string) error { return lookAndRename(from, to) }
