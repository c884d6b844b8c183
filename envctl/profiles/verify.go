package profiles

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/sumdb"
)

// Unverifiable lists the required modules that the go command could not verify
// without a network: those with a go.sum line missing, for the zip or for
// go.mod, that the database must vouch for (GOSUMDB, GONOSUMDB, GOPRIVATE),
// where neither the cached lookups and tiles suffice nor a signed head newer
// than they allow it.
//
// It asks as the go command would, with the same client and the same files,
// but it writes nothing and never dials.
func Unverifiable(ctx context.Context, e *env.Env, p *project.Project) ([]module.Version, error) {
	missing := []module.Version{}
	if p == nil {
		return missing, nil
	}
	o, err := sumdb.Of(e)
	if errors.Is(err, sumdb.ErrOff) {
		return missing, nil
	}
	if err != nil {
		return nil, err
	}
	client := sumdb.New(o)
	seen := map[module.Version]bool{}
	for _, r := range p.Requires {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, local := fetched(p, r.Version)
		if local || seen[m] || module.MatchPrefixPatterns(e.NoSumDB(), m.Path) {
			continue
		}
		seen[m] = true
		if !vouches(ctx, p, client, m) {
			missing = append(missing, m)
		}
	}
	return missing, nil
}

// fetched is what the go command fetches for m; local says that it is a
// directory, which nobody verifies.
func fetched(p *project.Project, m module.Version) (_ module.Version, local bool) {
	if r, ok := p.Replacement(m); ok {
		return r, r.Version == ""
	}
	return m, false
}

// vouches reports whether go.sum or the database on disk has both hashes of m.
func vouches(ctx context.Context, p *project.Project, client *sumdb.Client, m module.Version) bool {
	if p.Sums.Has(m) && p.Sums.HasGoMod(m) {
		return true
	}
	lines, err := client.Lookup(ctx, m)
	if err != nil {
		return false
	}
	has := func(version string) bool {
		prefix := m.Path + " " + version + " h1:"
		return slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, prefix) })
	}
	return (p.Sums.Has(m) || has(m.Version)) && (p.Sums.HasGoMod(m) || has(m.Version+"/go.mod"))
}
