package needs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"gpx/envctl/redact"
)

// maxFolders bounds how many folders are looked into below one directory: a
// home folder has some 100,000.
const maxFolders = 1_000_000

// Below finds the projects in dir and below it: every folder with a go.mod or a
// go.work. Folders that hold no projects of the user (.git, node_modules, the
// module cache itself) are passed over, links are not followed, and what cannot
// be read is a Problem.
func Below(ctx context.Context, dir, cache string) (roots []string, problems []Problem) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, []Problem{{dir, redact.Text(err.Error())}}
	}
	folders, unread := 0, 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && path == dir:
			return err
		case err != nil:
			unread++
			return fs.SkipDir
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules" || path == cache):
			return fs.SkipDir
		case d.IsDir():
			if folders++; folders > maxFolders {
				return errTooMany
			}
		case d.Name() == "go.mod" || d.Name() == "go.work":
			if root := filepath.Dir(path); len(roots) == 0 || roots[len(roots)-1] != root {
				roots = append(roots, root)
			}
		}
		return nil
	})
	if err != nil {
		problems = append(problems, Problem{dir, "not looked through to its end: " + redact.Text(err.Error())})
	}
	if unread > 0 {
		problems = append(problems, Problem{dir, fmt.Sprintf("%d folders below it cannot be read", unread)})
	}
	return roots, problems
}

var errTooMany = errors.New("too many folders; name the projects instead")
