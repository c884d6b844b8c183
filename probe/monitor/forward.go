package monitor

import (
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// forwardProxy returns the proxy that HTTPS_PROXY names, and whether the go
// command reaches a URL through it: net/http reads the environment that way
// (http.ProxyFromEnvironment), NO_PROXY and the exception for loopback included.
func forwardProxy(environ []string) (raw string, through func(rawURL string) bool) {
	get := func(names ...string) string {
		for _, name := range names {
			// The last assignment wins, as os.Getenv has it after exec.
			for i := len(environ) - 1; i >= 0; i-- {
				if v, ok := strings.CutPrefix(environ[i], name+"="); ok && v != "" {
					return v
				}
			}
		}
		return ""
	}
	cfg := &httpproxy.Config{
		HTTPProxy:  get("HTTP_PROXY", "http_proxy"),
		HTTPSProxy: get("HTTPS_PROXY", "https_proxy"),
		NoProxy:    get("NO_PROXY", "no_proxy"),
		CGI:        get("REQUEST_METHOD") != "",
	}
	if cfg.HTTPSProxy == "" {
		return "", func(string) bool { return false }
	}
	proxy := cfg.ProxyFunc()
	raw = cfg.HTTPSProxy
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw // as net/http does with a bare host:port
	}
	return raw, func(rawURL string) bool {
		u, err := url.Parse(rawURL)
		if err != nil || u.Scheme != "https" {
			return false
		}
		p, err := proxy(u)
		return err == nil && p != nil
	}
}
