// Package needs says which module versions projects need, so that nothing that
// a build depends on is taken out of a cache. It errs on the side of needing:
// what go.mod requires, all that go.sum has a hash of the zip for, and, for what
// go.sum does not know, the module graph of the cached .mod files.
package needs

import "golang.org/x/mod/module"

// Needs are module versions, each with the roots of the projects that need it.
type Needs map[module.Version][]string
