package env

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// VCSRefusal is why GOVCS keeps the go command from fetching the repository of
// that root with a tool such as "git", in its own words; nil where it does not
// (cmd/go/internal/vcs, checkGOVCS). The root is the part of a module's path that
// its repository stands for.
func (e *Env) VCSRefusal(tool, root string) error {
	rules, err := parseGOVCS(e.Get("GOVCS"))
	if err != nil {
		return err
	}
	kind := "public"
	if module.MatchPrefixPatterns(e.Get("GOPRIVATE"), root) {
		kind = "private"
	}
	for _, r := range append(rules, vcsRule{"private", []string{"all"}}, vcsRule{"public", []string{"git", "hg"}}) {
		switch r.pattern {
		case "private", "public":
			if r.pattern != kind {
				continue
			}
		default:
			if !module.MatchPrefixPatterns(r.pattern, root) {
				continue
			}
		}
		if slices.Contains(r.allowed, tool) || slices.Contains(r.allowed, "all") {
			return nil
		}
		break // the first rule that matches decides
	}
	return fmt.Errorf("GOVCS disallows using %s for %s %s; see 'go help vcs'", tool, kind, root)
}

// GOVCSError is why the go command cannot read GOVCS, in its own words: then it
// fetches nothing with any tool. It is nil for a value that it can read.
func (e *Env) GOVCSError() error {
	_, err := parseGOVCS(e.Get("GOVCS"))
	return err
}

// A vcsRule is one entry of GOVCS: pattern:tool|tool.
type vcsRule struct {
	pattern string
	allowed []string
}

func parseGOVCS(value string) ([]vcsRule, error) {
	if value = strings.TrimSpace(value); value == "" {
		return nil, nil
	}
	var rules []vcsRule
	seen := map[string]string{}
	for item := range strings.SplitSeq(value, ",") {
		item = strings.TrimSpace(item)
		pattern, list, colon := strings.Cut(item, ":")
		pattern, list = strings.TrimSpace(pattern), strings.TrimSpace(list)
		tools := strings.Split(list, "|")
		for i := range tools {
			tools[i] = strings.TrimSpace(tools[i])
		}
		switch {
		case item == "":
			return nil, errors.New("empty entry in GOVCS")
		case !colon:
			return nil, fmt.Errorf("malformed entry in GOVCS (missing colon): %q", item)
		case pattern == "":
			return nil, fmt.Errorf("empty pattern in GOVCS: %q", item)
		case list == "":
			return nil, fmt.Errorf("empty VCS list in GOVCS: %q", item)
		case pattern == "." || pattern == ".." || strings.HasPrefix(pattern, "./") || strings.HasPrefix(pattern, "../"):
			return nil, fmt.Errorf("relative pattern not allowed in GOVCS: %q", pattern)
		case seen[pattern] != "":
			return nil, fmt.Errorf("unreachable pattern in GOVCS: %q after %q", item, seen[pattern])
		case slices.Contains(tools, ""):
			return nil, fmt.Errorf("empty VCS name in GOVCS: %q", item)
		}
		seen[pattern] = item
		rules = append(rules, vcsRule{pattern, tools})
	}
	return rules, nil
}
