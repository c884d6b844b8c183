package story

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gpx/probe/lab"
)

// TestRelayRatios is what `make bench` prints of the relay: gpx serve beside nginx
// with the same files, before an upstream that is 20 ms away, and its memory under
// a zip as large as any. It does nothing unless GPX_BENCH is set, because a loaded
// machine would make it lie.
func TestRelayRatios(t *testing.T) {
	if !benching() {
		t.Skip("GPX_BENCH is not set; make bench sets it")
	}
	for _, p := range []string{"nginx", "git"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip("needs " + p)
		}
	}
	t.Run("beside nginx", besideNginx)
	t.Run("20 ms away", farUpstream)
	t.Run("memory", memoryOfLargeZip)
}

const (
	connections = 64
	loadRounds  = 7
	loadTime    = time.Second
)

// besideNginx puts the same load on gpx serve, out of the module cache, and on
// nginx with the same folder as its root, in turns.
func besideNginx(t *testing.T) {
	for _, tt := range []struct {
		what string
		size int
		exts []string
		rate float64 // of nginx's, at least; 0: not promised
	}{
		{".info and .mod", 1 << 10, []string{".info", ".mod"}, 0.4},
		{"zips of 100 KB", 100 << 10, []string{".zip"}, 0},
		{"zips of 2 MB", 2 << 20, []string{".zip"}, 0.9}, // the mean of a cache with 637 zips
	} {
		d := newDownload(t, 20, tt.size)
		home := t.TempDir()
		environ := d.lab.GoEnv(home, d.lab.Proxy("one", nil).URL())
		if _, said, status := run(t, d.project(t.TempDir()), environ, "go", "mod", "download"); status != 0 {
			t.Fatal(said)
		}
		relay, front := serve(t, t.TempDir(), environ), fileServer(t, filepath.Join(home, "gopath", "pkg", "mod", "cache", "download"))
		var paths []string
		for _, m := range d.lab.Modules() {
			for _, ext := range tt.exts {
				paths = append(paths, "/"+m.Path+"/@v/"+m.Version.Version+ext)
			}
		}
		stress(t, relay.addr, paths, connections, loadTime/4) // zips are hashed once
		stress(t, front, paths, connections, loadTime/4)
		var rates, p99s, ours, theirs, ourP99, theirP99 []float64
		for range loadRounds {
			us, them := stress(t, relay.addr, paths, connections, loadTime), stress(t, front, paths, connections, loadTime)
			rates, p99s = append(rates, us.rate/them.rate), append(p99s, float64(us.p99)/float64(them.p99))
			ours, theirs = append(ours, us.rate), append(theirs, them.rate)
			ourP99, theirP99 = append(ourP99, us.p99.Seconds()*1e3), append(theirP99, them.p99.Seconds()*1e3)
		}
		relay.stop()
		least := ""
		if tt.rate > 0 {
			least = fmt.Sprintf("at least %.1f", tt.rate)
		}
		t.Logf("\n| %s, %d connections | nginx | gpx serve | ratio (range) | promised |\n|---|---|---|---|---|\n"+
			"| answers a second | %.0f | %.0f | %s | %s |\n| p99 | %.1f ms | %.1f ms | %s | at most 2 |\n",
			tt.what, connections, middle(theirs), middle(ours), spread(rates), least, middle(theirP99), middle(ourP99), spread(p99s))
		if r := middle(rates); r < tt.rate {
			t.Errorf("%s: %.2f of nginx's answers a second, promised is %.1f", tt.what, r, tt.rate)
		}
		if r := middle(p99s); r > 2 {
			t.Errorf("%s: p99 is %.2f times nginx's, promised is 2", tt.what, r)
		}
	}
}

// farUpstream downloads into empty caches from an upstream whose every answer
// takes 20 ms, bare and through a relay that has nothing.
func farUpstream(t *testing.T) {
	d := newDownload(t, 50, 20<<10)
	far := d.lab.Proxy("far", lab.Always(lab.Slow(20*time.Millisecond))).URL()
	d.bare(far, patience)
	var served, ran, bare []float64
	var servedTo, ranTo []float64
	for range 7 {
		b := d.bare(far, patience)
		relay := serve(t, t.TempDir(), d.lab.GoEnv(t.TempDir(), far))
		s := d.bare("http://"+relay.addr, patience)
		relay.stop()
		r := d.behind(far)
		must(t, errors.Join(b.err, s.err, r.err))
		bare, served, ran = append(bare, b.took.Seconds()), append(served, s.took.Seconds()), append(ran, r.took.Seconds())
		servedTo, ranTo = append(servedTo, s.took.Seconds()/b.took.Seconds()), append(ranTo, r.took.Seconds()/b.took.Seconds())
	}
	t.Logf("\n| go mod download of 50 modules, upstream 20 ms away | median | ratio (range) | promised |\n|---|---|---|---|\n"+
		"| bare | %.2f s | 1.00 | |\n| through gpx serve, which has nothing of it | %.2f s | %s | at most 1.1 |\n| gpx run, with its start | %.2f s | %s | |\n",
		middle(bare), middle(served), spread(servedTo), middle(ran), spread(ranTo))
	if r := middle(servedTo); r > 1.1 {
		t.Errorf("%.2f times the bare time, promised is 1.1", r)
	}
}

// memoryOfLargeZip has 50 clients fetch one zip of 500 MB at once, which the relay
// has to get from its upstream first.
func memoryOfLargeZip(t *testing.T) {
	const clients, most = 50, 100 << 20
	tree := t.TempDir()
	size := largeZip(t, tree)
	environ := emptyLab(t).GoEnv(t.TempDir(), "http://"+fileServer(t, tree))
	relay := serve(t, t.TempDir(), append(environ, "GOSUMDB=off"))
	start := time.Now()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			res, err := http.Get("http://" + relay.addr + "/bench.example.com/large/@v/v1.0.0.zip")
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if n, err := io.Copy(io.Discard, res.Body); err != nil || n != size || res.StatusCode != http.StatusOK {
				t.Errorf("%s, %d bytes of %d, %v", res.Status, n, size, err)
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	peak := relay.peak(t)
	t.Logf("\n| %d clients, one zip of %d MB | | promised |\n|---|---|---|\n| peak resident memory of gpx serve | %.0f MB | under 100 MB |\n| all have it after | %.1f s, %.1f GB/s | |\n",
		clients, size>>20, float64(peak)/(1<<20), took.Seconds(), float64(clients*size)/took.Seconds()/1e9)
	if peak >= most {
		t.Errorf("%d MB of memory", peak>>20)
	}
}

// largeZip writes a module whose zip has nearly 500 MB, the most that there can
// be, into a GOPROXY file tree.
func largeZip(t *testing.T, tree string) int64 {
	t.Helper()
	dir := filepath.Join(tree, "bench.example.com", "large", "@v")
	must(t, os.MkdirAll(dir, 0o755))
	f, err := os.Create(filepath.Join(dir, "v1.0.0.zip"))
	must(t, err)
	defer f.Close()
	z := zip.NewWriter(f)
	noise := make([]byte, 1<<20)
	_, err = rand.Read(noise)
	must(t, err)
	for i := range 499 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("bench.example.com/large@v1.0.0/data%03d", i), Method: zip.Store})
		must(t, err)
		_, err = io.Copy(w, bytes.NewReader(noise[:len(noise)-1024])) // headers need some, too
		must(t, err)
	}
	must(t, z.Close())
	info, err := f.Stat()
	must(t, err)
	return info.Size()
}

func emptyLab(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.Start(lab.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

// A server is a gpx serve.
type server struct {
	addr string
	cmd  *exec.Cmd
	stop func()
}

// serve starts gpx serve in a folder, until the test ends or it is stopped.
func serve(t *testing.T, dir string, environ []string, args ...string) *server {
	t.Helper()
	cmd := exec.Command(gpx, append([]string{"serve", "--json"}, args...)...)
	cmd.Dir, cmd.Env = dir, environ
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	s := &server{cmd: cmd}
	s.stop = sync.OnceFunc(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil && !interrupted(err) {
			t.Errorf("gpx serve: %v\n%s", err, said.String())
		}
	})
	t.Cleanup(s.stop)
	var first struct{ GOPROXY string }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &first)
	}
	if err != nil {
		t.Fatalf("gpx serve says %q: %v", line, err)
	}
	s.addr = strings.TrimPrefix(first.GOPROXY, "http://")
	return s
}

// interrupted reports whether a command ended as one does after ctrl+c.
func interrupted(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == 130
}

// peak is the most resident memory that it ever had, in bytes.
func (s *server) peak(t *testing.T) int64 {
	t.Helper()
	const name = "VmHWM:"
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Skip("needs /proc")
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			must(t, err)
			return kb << 10
		}
	}
	t.Fatalf("no %s in %s", name, data)
	return 0
}

// fileServer is an nginx that serves a folder as its packages set it up, with as
// many workers as there are processors.
func fileServer(t *testing.T, root string) (addr string) {
	t.Helper()
	addr = freePort(t)
	startNginx(t, "worker_processes auto;\nevents { worker_connections 1024; }\n",
		fmt.Sprintf("sendfile on; tcp_nopush on; types_hash_max_size 2048; keepalive_requests 100000000;\nserver { listen %s; root %s; }\n", addr, root), addr)
	return addr
}

func middle(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

func spread(list []float64) string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", middle(list), slices.Min(list), slices.Max(list))
}
