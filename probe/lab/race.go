//go:build race

package lab

// Raced says that the race detector is on. What computes for long and starts little is
// skipped then: it would take minutes to find nothing.
const Raced = true
