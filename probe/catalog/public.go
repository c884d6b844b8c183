package catalog

import "gpx/envctl/env"

// Public reports whether a hop is known to be a public proxy: its site is in the
// catalog and its URL holds no credentials. Every other hop counts as private,
// because a host that gpx does not know may serve modules whose very names are
// secret; "direct" is neither, it asks each module's own host.
func Public(e *env.Env, rawURL string) bool {
	entry, ok := Find(e, rawURL)
	return ok && entry.Kind == Proxy && !hasCredentials(rawURL)
}
