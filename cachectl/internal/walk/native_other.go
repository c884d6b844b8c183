//go:build !linux

package walk

// openNative opens the folder where a walk begins.
func openNative(name string) (folder, error) { return openPortable(name) }
