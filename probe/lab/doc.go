// Package lab is a real outage on loopback: GOPROXY servers and a signed
// checksum database whose faults follow a schedule.
//
//	        ┌ a proxy, https://127.0.0.1:P1 ─ schedule: ok ▶ 5s blackhole ▶ 60s ok
//	Lab ────┼ b proxy, https://127.0.0.1:P2 ─ schedule: ok, but 503 on lookup
//	        ├ checksum database, https://127.0.0.1:P3 (its name is that address)
//	        └ forward proxy, DNS server, file trees, git repositories
//
// Nothing is mocked: a refused port is closed, a black hole drops packets, an
// expired certificate has expired, and every module has the same hash whether it
// comes from a proxy, a file tree or git. So the go command, a probe and a
// browser all see what they would see on a bad day. Tests and "gpx demo" use it;
// it never opens a socket that is not loopback, and everything on disk stands in
// one temporary directory that [Lab.Close] removes.
package lab
