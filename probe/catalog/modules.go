package catalog

import (
	"slices"
	"strings"
)

// codeHosts are hosts whose modules are public as a rule. Where a path names its
// owner after the host, the number says how many elements the owner takes.
var codeHosts = map[string]int{
	"github.com": 2, "gitlab.com": 2, "bitbucket.org": 2, "codeberg.org": 2, "gitee.com": 2, "git.sr.ht": 2,
	"golang.org": 1, "go.dev": 1, "google.golang.org": 1, "cloud.google.com": 1, "gopkg.in": 1,
	"go.uber.org": 1, "go.opentelemetry.io": 1, "k8s.io": 1, "sigs.k8s.io": 1, "modernc.org": 1, "rsc.io": 1,
	"honnef.co": 1, "mvdan.cc": 1, "go.etcd.io": 1, "go.mongodb.org": 1, "gorm.io": 1, "gonum.org": 1, "filippo.io": 1,
}

// Known reports whether the world knows a module path anyway, so that a public
// host may be told of it: it stands at a well-known code host, and shares its
// owner with none of the project's own modules. Every other path may be a secret.
func Known(path string, own []string) bool {
	host, _, _ := strings.Cut(path, "/")
	return codeHosts[host] > 0 && !slices.ContainsFunc(own, func(o string) bool { return SameOwner(o, path) })
}

// Owner is the part of a module path that says whose it is: the host, or the host
// and the account.
func Owner(path string) string {
	elems := strings.Split(path, "/")
	n := max(1, codeHosts[elems[0]])
	return strings.Join(elems[:min(n, len(elems))], "/")
}

// SameOwner reports whether two modules belong to one owner. A shared host that
// is everybody's makes none.
func SameOwner(own, path string) bool {
	host, _, _ := strings.Cut(own, "/")
	return codeHosts[host] != 1 && strings.Contains(host, ".") && Owner(own) == Owner(path)
}
