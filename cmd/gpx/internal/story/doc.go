// Package story holds what a developer lives through with gpx, as tests: the
// program that is released, built once, in a real terminal (tmux), against
// servers that the test breaks and mends, with the real go command as the judge
// of whether a build works. nginx stands in for the proxies of the world, as a
// file server and as a reverse proxy whose upstream is broken.
//
// The tests meet programs that a machine may lack, and take most of a minute:
// they run in make test-system (GPX_TEST_SCALE=system), and skip by name where
// tmux or nginx is missing. The package has no code of its own.
//
//	test ──sets faults──▶ lab ◀──probes── gpx ◀──keys, screen──▶ tmux ◀── test
//	test ──go build───────▶ lab
package story
