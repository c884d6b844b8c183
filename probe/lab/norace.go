//go:build !race

package lab

// Raced says that the race detector is on.
const Raced = false
