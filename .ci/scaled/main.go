// Scaled prints what "go test" is to be told to run the tests alone that do more at
// another GPX_TEST_SCALE: -run with their names, and their packages. What the others
// do in test-system they have just done in make test.
//
//	go test $(go run ./.ci/scaled)
//
// A test is one of them when it, or something of its package that it names, however
// indirectly, names that variable.
package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const variable = "GPX_TEST_SCALE"

func main() {
	names, packages := map[string]bool{}, map[string]bool{}
	for dir, files := range testFiles(".") {
		for _, test := range scaled(declarations(files)) {
			names[test], packages["./"+filepath.ToSlash(dir)] = true, true
		}
	}
	if len(names) == 0 {
		log.Fatal("no test reads " + variable)
	}
	fmt.Println("-run ^(" + strings.Join(slices.Sorted(maps.Keys(names)), "|") + ")$ " + strings.Join(longestFirst(packages), " "))
}

// longestFirst puts the stories of the whole program before all others: they take so
// long that what comes after them is done by their end.
func longestFirst(packages map[string]bool) []string {
	return slices.SortedFunc(maps.Keys(packages), func(a, b string) int {
		return cmp.Or(strings.Count(b, "/")-strings.Count(a, "/"), strings.Compare(a, b))
	})
}

// testFiles are the test files below root, by folder.
func testFiles(root string) map[string][]string {
	files := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && path != root && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata") {
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(path, "_test.go") {
			files[filepath.Dir(path)] = append(files[filepath.Dir(path)], path)
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	return files
}

// declarations are what a package's tests declare, by name, with all that each of
// them names. Methods go by their name alone.
func declarations(files []string) map[string][]string {
	found := map[string][]string{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			log.Fatal(err)
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Body != nil {
					found[d.Name.Name] = append(found[d.Name.Name], named(d.Body)...)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if v, ok := s.(*ast.ValueSpec); ok {
						for _, name := range v.Names {
							found[name.Name] = append(found[name.Name], named(v)...)
						}
					}
				}
			}
		}
	}
	return found
}

// named are the identifiers and the strings in a piece of code.
func named(n ast.Node) (list []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			list = append(list, n.Name)
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); err == nil {
				list = append(list, s)
			}
		}
		return true
	})
	return list
}

// scaled are the tests from which the variable is reached.
func scaled(found map[string][]string) (tests []string) {
	reaches := map[string]bool{variable: true}
	for grown := true; grown; {
		grown = false
		for name, uses := range found {
			if !reaches[name] && name != "TestMain" && slices.ContainsFunc(uses, func(u string) bool { return reaches[u] }) {
				reaches[name], grown = true, true
			}
		}
	}
	for name := range found {
		if reaches[name] && strings.HasPrefix(name, "Test") {
			tests = append(tests, name)
		}
	}
	return tests
}
