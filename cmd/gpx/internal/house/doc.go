// Package house holds the rules of the whole repository, as tests: which floor
// may import which, that no package registry of the machine it was written on
// stands in a file or a commit message, and that the build says what to
// install. It has no code of its own.
//
//	cmd ─▶ tui ─▶ history ─▶ probe ─▶ envctl
package house
