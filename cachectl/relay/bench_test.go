package relay

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gpx/probe"
	"gpx/probe/lab"
)

// BenchmarkFromCache answers out of the module cache, one connection for each of
// twice as many clients as there are processors; make bench has the ratio to nginx.
func BenchmarkFromCache(b *testing.B) {
	for _, file := range []probe.File{probe.Info, probe.Mod, probe.Zip} {
		b.Run(string(file), func(b *testing.B) {
			w := newWorld(b)
			w.o.Cache = b.TempDir()
			m := w.lab.Modules()[slices.IndexFunc(w.lab.Modules(), func(m *lab.Module) bool { return m.Path == "lab.example.com/big" })]
			dir := filepath.Join(w.o.Cache, filepath.FromSlash(m.Path), "@v")
			must(b, os.MkdirAll(dir, 0o755))
			for ext, data := range map[string][]byte{".info": m.Info, ".mod": []byte(m.Files["go.mod"]), ".zip": m.Zip, ".ziphash": []byte(m.ZipHash)} {
				must(b, os.WriteFile(filepath.Join(dir, m.Version.Version+ext), data, 0o644))
			}
			w.behind()
			w.start()
			request := "GET /" + m.Path + "/@v/" + m.Version.Version + "." + string(file) + " HTTP/1.1\r\nHost: localhost\r\n\r\n"
			b.SetParallelism(2)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
				if err != nil {
					b.Error(err)
					return
				}
				defer conn.Close()
				in := bufio.NewReader(conn)
				for pb.Next() {
					io.WriteString(conn, request)
					res, err := http.ReadResponse(in, nil)
					if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Content-Length") == "" {
						b.Errorf("%+v, %v", res, err)
						return
					}
					n, err := io.Copy(io.Discard, res.Body)
					if err != nil || strconv.FormatInt(n, 10) != res.Header.Get("Content-Length") {
						b.Errorf("%d bytes, %v", n, err)
						return
					}
				}
			})
		})
	}
}
