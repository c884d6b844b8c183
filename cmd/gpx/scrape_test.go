package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdScrape writes what a page says to a file, once it says PATTERN.
func cmdScrape(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: scrape URL FILE PATTERN")
	}
	re, err := regexp.Compile("(?m)" + args[2])
	ts.Check(err)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		page, err := page(args[0])
		if err == nil && re.Match(page) {
			ts.Check(os.WriteFile(ts.MkAbs(args[1]), page, 0o600))
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s does not say %s after 20 s: %v\n%s", args[0], args[2], err, page)
		}
	}
}

func page(url string) ([]byte, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, res.Status)
	}
	return body, err
}
