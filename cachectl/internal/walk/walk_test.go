package walk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// readers are all that can read folders here.
var readers = map[string]func(string) (folder, error){"native": openNative, "portable": openPortable}

// eachReader runs a test with every reader.
func eachReader(t *testing.T, test func(t *testing.T, opt Options)) {
	for name, open := range readers {
		t.Run(name, func(t *testing.T) {
			test(t, Options{open: open, Problem: func(path string, err error) { t.Errorf("problem with %s: %v", path, err) }})
		})
	}
}

func TestRandomTreesAreCountedAsFindCounts(t *testing.T) {
	eachReader(t, func(t *testing.T, opt Options) {
		for seed := range uint64(8) {
			dir := t.TempDir()
			grow(t, rand.New(rand.NewPCG(seed, 1)), dir, 4)
			for _, opt.Workers = range []int{1, 3, 8} {
				got, err := Tree(t.Context(), dir, opt)
				if err != nil {
					t.Fatal(err)
				}
				if want := count(t, dir); got != want {
					t.Errorf("seed %d, %d workers: got %+v, want %+v", seed, opt.Workers, got, want)
				}
			}
		}
	})
}

// grow fills dir with files of all kinds.
func grow(t *testing.T, r *rand.Rand, dir string, depth int) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var last string
	for i := range r.IntN(12) {
		name := filepath.Join(dir, fmt.Sprintf("%d %s", i, strings.Repeat("ü", r.IntN(20))))
		switch kind := r.IntN(10); {
		case kind < 3 && depth > 0:
			must(os.Mkdir(name, 0o777))
			grow(t, r, name, depth-1)
			if r.IntN(4) == 0 {
				must(os.Chmod(name, 0o555))
				t.Cleanup(func() { os.Chmod(name, 0o777) })
			}
		case kind == 3:
			must(os.Symlink(filepath.Dir(dir), name)) // above: a walk that follows it does not end
		case kind == 4:
			must(os.Symlink("nowhere", name))
		case kind == 5 && last != "":
			must(os.Link(last, name))
		case kind == 6:
			must(special(name))
		default:
			must(os.WriteFile(name, make([]byte, r.IntN(3)*r.IntN(5000)), 0o444))
			must(os.Truncate(name, r.Int64N(1<<r.IntN(30)))) // sparse
			last = name
		}
	}
}

// count counts dir as `find -type f -printf %s` and `find -type d` do.
func count(t *testing.T, dir string) (size Size) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			size.Dirs++
		case d.Type().IsRegular():
			info, err := d.Info()
			if err != nil {
				return err
			}
			size.Files++
			size.Bytes += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

func TestFoldersDeeperThanAPathCanBeLong(t *testing.T) {
	base := t.TempDir()
	const depth = 200 // times 100 bytes: several PATH_MAX
	deep(t, base, strings.Repeat("d", 100), depth)
	eachReader(t, func(t *testing.T, opt Options) {
		got, err := Tree(t.Context(), base, opt)
		want := Size{Bytes: depth, Files: depth, Dirs: depth + 1}
		if err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		var longest atomic.Int64
		err = Folders(t.Context(), base, []string{"."}, opt, func(f *Folder) {
			if f.Err != nil {
				t.Errorf("%d bytes of path: %v", len(f.Path), f.Err)
			}
			longest.Store(max(longest.Load(), int64(len(f.Path))))
		})
		if err != nil || longest.Load() != depth*101-1 {
			t.Errorf("the longest path has %d bytes, %v, want %d", longest.Load(), err, depth*101-1)
		}
	})
}

// deep makes folders in each other, each with a file of one byte.
func deep(t *testing.T, base, name string, depth int) {
	t.Helper()
	root, err := os.OpenRoot(base)
	if err != nil {
		t.Fatal(err)
	}
	for range depth {
		if err := root.Mkdir(name, 0o777); err != nil {
			t.Fatal(err)
		}
		below, err := root.OpenRoot(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := below.WriteFile("file", []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		root.Close()
		root = below
	}
	root.Close()
}

func TestWhatWaitsIsBoundedByTheDepth(t *testing.T) {
	// A folder of a million folders, each with a thousand, if all were read.
	var most, opened atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := &fake{entries: func(path string) []Entry {
		if strings.Count(path, "/") > 2 {
			return nil
		}
		return folders(part)
	}, parts: 1000, opened: func() {
		if opened.Add(1) == 20_000 {
			cancel()
		}
	}}
	w, err := newWalker("", Options{Workers: 1, open: func(string) (folder, error) { return f, nil }})
	if err != nil {
		t.Fatal(err)
	}
	w.visit = func(*Folder) {
		w.mu.Lock()
		defer w.mu.Unlock()
		most.Store(max(most.Load(), int64(len(w.waiting))))
	}
	if err := w.run(ctx, []string{"."}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if bound := int64(4 * (wide + part)); most.Load() > bound {
		t.Errorf("%d folders waited, want at most %d", most.Load(), bound)
	}
	if open := f.isOpen.Load(); open != 0 {
		t.Errorf("%d folders were left open", open)
	}
}

func TestVeryManyFoldersInOne(t *testing.T) {
	f := &fake{parts: 3, entries: func(path string) []Entry {
		if path != "." {
			return []Entry{{Name: "file", Size: 2}}
		}
		return folders(wide)
	}}
	var firsts, lasts atomic.Int64
	opt := Options{open: func(string) (folder, error) { return f, nil }}
	got, err := Tree(t.Context(), "", opt)
	if want := (Size{Bytes: 2 * 3 * 3 * wide, Files: 3 * 3 * wide, Dirs: 3*wide + 1}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	err = Folders(t.Context(), "", []string{"."}, opt, func(f *Folder) {
		if f.Path != "." {
			return
		}
		n, _ := f.Data.(int)
		if f.First != (n == 0) {
			t.Errorf("part %d says First %v", n, f.First)
		}
		f.Data = n + 1
		if f.First {
			firsts.Add(1)
		}
		if f.Last {
			lasts.Add(1)
		}
	})
	if err != nil || firsts.Load() != 1 || lasts.Load() != 1 {
		t.Errorf("%d first and %d last parts, %v", firsts.Load(), lasts.Load(), err)
	}
}

func TestUnreadableFoldersAreToldAndCountNothing(t *testing.T) {
	denied := fmt.Errorf("open: %w", fs.ErrPermission)
	f := &fake{parts: 1, entries: func(path string) []Entry {
		if path != "." {
			return []Entry{{Name: "file", Size: 7}}
		}
		return append(folders(300), Entry{Name: "here", Size: 1})
	}, fail: func(path string) error {
		var n int
		if fmt.Sscanf(path, "%d", &n); n%2 == 1 {
			return denied
		}
		return nil
	}}
	told := 0
	got, err := Tree(t.Context(), "", Options{
		open:    func(string) (folder, error) { return f, nil },
		Problem: func(path string, err error) { told++ },
	})
	if want := (Size{Bytes: 150*7 + 1, Files: 151, Dirs: 151, Unread: 150}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if told != maxProblems {
		t.Errorf("%d problems were told, want %d", told, maxProblems)
	}
}

func TestUnreadableFoldersThatWereAskedForAreToldToo(t *testing.T) {
	f := &fake{parts: 1, entries: func(string) []Entry { return nil }, fail: func(path string) error {
		return map[string]error{"denied": fs.ErrPermission, "gone": fs.ErrNotExist}[path]
	}}
	var told []string
	err := Folders(t.Context(), "", []string{"denied", "gone", "there"}, Options{
		open:    func(string) (folder, error) { return f, nil },
		Problem: func(path string, err error) { told = append(told, path+": "+err.Error()) },
	}, func(*Folder) {})
	if want := []string{"denied: " + fs.ErrPermission.Error()}; err != nil || !slices.Equal(told, want) {
		t.Errorf("told %q, %v, want %q", told, err, want)
	}
}

func TestWhatVanishesMeanwhileIsNoProblem(t *testing.T) {
	f := &fake{parts: 1, entries: func(path string) []Entry {
		if path != "." {
			return nil
		}
		return folders(3)
	}, fail: func(path string) error {
		return map[string]error{"0": fs.ErrNotExist, "1": &fs.PathError{Op: "open", Path: path, Err: errNotFolder}}[path]
	}}
	got, err := Tree(t.Context(), "", Options{
		open:    func(string) (folder, error) { return f, nil },
		Problem: func(path string, err error) { t.Errorf("problem with %s: %v", path, err) },
	})
	if want := (Size{Dirs: 2}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestTreesAreToldOneByOne(t *testing.T) {
	base := t.TempDir()
	write(t, base, map[string]int{"a/1": 1, "a/b/2": 20, "c/3": 300, "d/e/4": 4000, "file": 5})
	if err := os.Symlink("a", filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("d", filepath.Join(base, "through")); err != nil {
		t.Fatal(err)
	}
	eachReader(t, func(t *testing.T, opt Options) {
		trees := []string{"a", "c", "none", "file", "link", "d/e", "a/b"}
		type result struct {
			Size Size
			Err  error
		}
		want := map[string]result{
			"a": {Size: Size{Bytes: 21, Files: 2, Dirs: 2}}, "c": {Size: Size{Bytes: 300, Files: 1, Dirs: 1}},
			"d/e": {Size: Size{Bytes: 4000, Files: 1, Dirs: 1}}, "a/b": {Size: Size{Bytes: 20, Files: 1, Dirs: 1}},
			"none": {Size{Unread: 1}, fs.ErrNotExist}, "file": {Size{Unread: 1}, errNotFolder}, "link": {Size{Unread: 1}, errNotFolder},
		}
		got := map[string]result{}
		err := Trees(t.Context(), base, trees, opt, func(i int, s Size, err error) {
			for _, is := range []error{fs.ErrNotExist, errNotFolder} {
				if errors.Is(err, is) {
					err = is
				}
			}
			got[trees[i]] = result{s, err}
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) })); d != "" {
			t.Error(d)
		}
	})
}

func TestFoldersAreShownWithStamps(t *testing.T) {
	base := t.TempDir()
	write(t, base, map[string]int{"a/1": 1, "a/b/2": 20, "skip/x/3": 300})
	eachReader(t, func(t *testing.T, opt Options) {
		var mu sync.Mutex
		got := map[string][]string{}
		err := Folders(t.Context(), base, []string{"."}, opt, func(f *Folder) {
			mu.Lock()
			defer mu.Unlock()
			names := []string{}
			for i := range f.Entries {
				e := &f.Entries[i]
				names = append(names, fmt.Sprint(e.Name, " ", e.Type, " ", e.Size*int64(b2i(e.Type.IsRegular()))))
				if want := stampAt(t, filepath.Join(base, f.Path, e.Name)); e.Stamp != want {
					t.Errorf("%s/%s has stamp %v, want %v", f.Path, e.Name, e.Stamp, want)
				}
				e.Skip = e.Name == "skip"
			}
			if want := stampAt(t, filepath.Join(base, f.Path)); f.Stamp != want || f.Err != nil {
				t.Errorf("%s has stamp %v, %v, want %v", f.Path, f.Stamp, f.Err, want)
			}
			slices.Sort(names)
			got[f.Path] = names
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{
			".": {"a d--------- 0", "skip d--------- 0"}, "a": {"1 ---------- 1", "b d--------- 0"}, "a/b": {"2 ---------- 20"},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

func TestStatTellsWhatStandsThere(t *testing.T) {
	base := t.TempDir()
	write(t, base, map[string]int{"a/1": 1, "b": 20})
	if err := os.Symlink("b", filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for i := range 500 {
		paths = append(paths, "a/1", "b", "none", "link", fmt.Sprint("a/", i+1000))
	}
	eachReader(t, func(t *testing.T, opt Options) {
		for _, opt.atOnce = range []time.Duration{time.Hour, 1} { // nothing waits; everything does
			var told atomic.Int64
			err := Stat(t.Context(), base, paths, opt, func(i int, e Entry, err error) {
				told.Add(1)
				switch i % 5 {
				case 0, 1:
					if want := stampAt(t, filepath.Join(base, paths[i])); err != nil || e.Stamp != want || e.Type != 0 || e.Size != []int64{1, 20}[i%5] {
						t.Errorf("%s: %+v, %v", paths[i], e, err)
					}
				case 3:
					if err != nil || e.Type != fs.ModeSymlink {
						t.Errorf("%s: %+v, %v", paths[i], e, err)
					}
				default:
					if !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%s: %v", paths[i], err)
					}
				}
			})
			if err != nil || told.Load() != int64(len(paths)) {
				t.Errorf("%d of %d were told, %v", told.Load(), len(paths), err)
			}
		}
	})
}

func TestCancelledWalksEnd(t *testing.T) {
	base := t.TempDir()
	write(t, base, map[string]int{"a/1": 1, "b/2": 2, "c/d/3": 3})
	eachReader(t, func(t *testing.T, opt Options) {
		ctx, cancel := context.WithCancel(t.Context())
		err := Folders(ctx, base, []string{"."}, opt, func(f *Folder) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Folders: %v", err)
		}
		if _, err := Tree(ctx, base, opt); !errors.Is(err, context.Canceled) {
			t.Errorf("Tree: %v", err)
		}
		if err := Stat(ctx, base, []string{"a"}, opt, func(int, Entry, error) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("Stat: %v", err)
		}
		if _, err := Tree(t.Context(), filepath.Join(base, "none"), opt); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("absent: %v", err)
		}
	})
}

// write makes files of the sizes given.
func write(t *testing.T, base string, files map[string]int) {
	t.Helper()
	for name, size := range files {
		name = filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, make([]byte, size), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func stampAt(t *testing.T, name string) Stamp {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return stampOfInfo(info)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// folders are n folders, named by their number.
func folders(n int) []Entry {
	list := make([]Entry, n)
	for i := range list {
		list[i] = Entry{Name: fmt.Sprint(i), Type: fs.ModeDir}
	}
	return list
}

// A fake is a folder, and all folders below it, that lie nowhere.
type fake struct {
	path    string
	parts   int // how often next answers with entries
	entries func(path string) []Entry
	fail    func(path string) error // opening it
	opened  func()
	isOpen  atomic.Int64
	top     *fake
	read    int
}

func (f *fake) stamp() (Stamp, error)      { return Stamp{}, nil }
func (f *fake) stat(string) (Entry, error) { return Entry{}, fs.ErrNotExist }

func (f *fake) open(rel string) (folder, error) {
	top := f.top
	if top == nil {
		top = f
	}
	at := path.Join(f.path, rel)
	if top.fail != nil {
		if err := top.fail(at); err != nil {
			return nil, err
		}
	}
	if top.opened != nil {
		top.opened()
	}
	top.isOpen.Add(1)
	return &fake{path: at, top: top}, nil
}

func (f *fake) close() {
	if f.top != nil {
		f.top.isOpen.Add(-1)
	}
}

func (f *fake) next(batch []Entry, _ bool, _ func(string, error)) ([]Entry, error) {
	if f.read++; f.read > f.top.parts {
		return batch, io.EOF
	}
	list := f.top.entries(f.path)
	for i := range list {
		if list[i].Type.IsDir() {
			list[i].Name = fmt.Sprint(f.read-1, "-", i)
			if f.top.parts == 1 {
				list[i].Name = fmt.Sprint(i)
			}
		}
	}
	return append(batch, list...), nil
}

// errNotFolder is what opening something that is no folder says.
const errNotFolder = syscall.ENOTDIR
