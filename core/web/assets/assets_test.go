package assets

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"app.css", "console.css", "app.js", "upload.js", "console.js"} {
		u := URL(name)
		f, ok := Open(u)
		if !ok || len(f.Body) < 1000 {
			t.Errorf("%s at %s: found %v, %d bytes", name, u, ok, len(f.Body))
		}
		if !regexp.MustCompile(`\.[0-9a-f]{12}\.(css|js)$`).MatchString(u) {
			t.Errorf("%s has the address %s, without its digest", name, u)
		}
	}
	if _, ok := Open("/assets/../assets.go"); ok {
		t.Error("a file outside the list is served")
	}
}

// TestScripts: small, and nothing a strict policy forbids.
func TestScripts(t *testing.T) {
	t.Parallel()
	for u, f := range load().files {
		if !strings.HasSuffix(u, ".js") {
			continue
		}
		if len(f.Body) > 15<<10 {
			t.Errorf("%s has %d bytes, more than 15 kB", u, len(f.Body))
		}
		for _, bad := range []string{"eval(", "new Function", "document.write", "http://", "https://"} {
			if bytes.Contains(f.Body, []byte(bad)) {
				t.Errorf("%s contains %q", u, bad)
			}
		}
	}
}

// TestStyles: colours come from the theme; only shadows, backdrops and the
// ground of QR codes and logos name their own.
func TestStyles(t *testing.T) {
	t.Parallel()
	colour := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b`)
	for u, f := range load().files {
		if !strings.HasSuffix(u, ".css") {
			continue
		}
		for _, m := range colour.FindAllString(string(f.Body), -1) {
			if m != "#fff" {
				t.Errorf("%s names the colour %s", u, m)
			}
		}
		for _, bad := range []string{"@import", "url("} {
			if bytes.Contains(f.Body, []byte(bad)) {
				t.Errorf("%s contains %q", u, bad)
			}
		}
	}
}
