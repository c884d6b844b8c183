//go:build !linux

package history

// onNetwork cannot tell here; SQLite's own locks decide.
func onNetwork(string) bool { return false }
