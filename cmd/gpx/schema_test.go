package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// A schema file lists the fields of a document, one a line:
//
//	verdict.state      string
//	endpoints[].at     string|null
//	endpoints[].sumdb? object     may be absent
//
// What a document has beyond it is an error, and so is what it lacks: scripts
// depend on both. GPX_UPDATE_SCHEMA=1 adds what is new, for a person to review.
func checkSchema(name, text string) error {
	file := filepath.Join("testdata", "schema", name+".txt")
	want, err := readSchema(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	seen := map[string]map[string]bool{}
	dec := json.NewDecoder(strings.NewReader(text))
	documents := 0
	for {
		var doc any
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("schema %s: stdout is not JSON: %w\n%s", name, err, text)
		}
		documents++
		describe("", doc, seen)
	}
	if documents == 0 {
		return fmt.Errorf("schema %s: stdout holds no document", name)
	}
	if os.Getenv("GPX_UPDATE_SCHEMA") != "" {
		return updateSchema(file, want, seen)
	}
	var problems []string
	for path, types := range seen {
		for typ := range types {
			if w, ok := want[path]; !ok {
				problems = append(problems, "not in the schema: "+path+" "+typ)
			} else if !w.types[typ] {
				problems = append(problems, fmt.Sprintf("%s is %s, want %s", path, typ, strings.Join(keys(w.types), "|")))
			}
		}
	}
	for path, w := range want {
		if seen[path] == nil && !w.optional && parentSeen(path, seen) {
			problems = append(problems, "missing: "+path)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	sort.Strings(problems)
	return fmt.Errorf("schema %s:\n  %s\nin %s", name, strings.Join(problems, "\n  "), text)
}

type schemaField struct {
	types    map[string]bool
	optional bool
}

func readSchema(file string) (map[string]schemaField, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return map[string]schemaField{}, err
	}
	fields := map[string]schemaField{}
	for sc := bufio.NewScanner(bytes.NewReader(data)); sc.Scan(); {
		path, types, ok := strings.Cut(strings.TrimSpace(sc.Text()), " ")
		if !ok || strings.HasPrefix(path, "#") {
			continue
		}
		f := schemaField{types: map[string]bool{}}
		path, f.optional = strings.CutSuffix(path, "?")
		for _, t := range strings.Split(strings.TrimSpace(types), "|") {
			f.types[t] = true
		}
		fields[path] = f
	}
	return fields, nil
}

func updateSchema(file string, want map[string]schemaField, seen map[string]map[string]bool) error {
	for path, types := range seen {
		f, ok := want[path]
		if !ok {
			f.types = map[string]bool{}
		}
		for t := range types {
			f.types[t] = true
		}
		want[path] = f
	}
	var lines []string
	for path, f := range want {
		if seen[path] == nil && parentSeen(path, seen) {
			f.optional = true
		}
		if f.optional {
			path += "?"
		}
		lines = append(lines, fmt.Sprintf("%-40s %s", path, strings.Join(keys(f.types), "|")))
	}
	sort.Strings(lines)
	return os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

// describe notes the type of every field. Maps whose keys are data (the chains
// of the settings) are described as the object that they are.
func describe(path string, v any, seen map[string]map[string]bool) {
	note := func(typ string) {
		if path == "" {
			return
		}
		if seen[path] == nil {
			seen[path] = map[string]bool{}
		}
		seen[path][typ] = true
	}
	switch v := v.(type) {
	case nil:
		note("null")
	case bool:
		note("bool")
	case string:
		note("string")
	case float64:
		note("number")
	case []any:
		note("array")
		for _, e := range v {
			describe(path+"[]", e, seen)
		}
	case map[string]any:
		note("object")
		if path == "config.chains" {
			return
		}
		for k, e := range v {
			sub := k
			if path != "" {
				sub = path + "." + k
			}
			describe(sub, e, seen)
		}
	}
}

func parentSeen(path string, seen map[string]map[string]bool) bool {
	if rest, ok := strings.CutSuffix(path, "[]"); ok {
		_ = rest
		return false // an array may be empty
	}
	i := strings.LastIndex(path, ".")
	if i < 0 {
		return true
	}
	parent := seen[path[:i]]
	return parent["object"]
}

func keys(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
