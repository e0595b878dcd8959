// Package assets holds the style sheets and scripts of every page, under
// addresses that change with their content.
//
// In: the embedded css/*.css (joined into app.css, in name order; console.css
// apart) and js/*.js. Out: URL(name) for a page, Open(path) for the server.
package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed css js
var files embed.FS

// Prefix is the path all assets are served below.
const Prefix = "/assets/"

// File is one asset: its bytes, plain and for a browser that takes gzip, and media type.
type File struct {
	Body []byte
	Gzip []byte
	Type string
}

type index struct {
	url   map[string]string // "app.css" → "/assets/app.0123456789ab.css"
	files map[string]File   // by URL
}

var load = sync.OnceValue(func() index {
	x := index{url: map[string]string{}, files: map[string]File{}}
	x.add("app.css", join("css/*.css", "css/console.css"))
	x.add("console.css", join("css/console.css", ""))
	scripts, _ := fs.Glob(files, "js/*.js")
	for _, s := range scripts {
		x.add(path.Base(s), join(s, ""))
	}
	return x
})

// join concatenates the embedded files that match, except one.
func join(pattern, except string) []byte {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		panic(err) // a malformed constant pattern
	}
	var b bytes.Buffer
	for _, n := range names {
		if n == except {
			continue
		}
		body, err := fs.ReadFile(files, n)
		if err != nil {
			panic(err) // impossible: embedded
		}
		b.Write(body)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func (x index) add(name string, body []byte) {
	sum := sha256.Sum256(body)
	ext := path.Ext(name)
	u := Prefix + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:])[:12] + ext
	kind := "text/css; charset=utf-8"
	if ext == ".js" {
		kind = "text/javascript; charset=utf-8"
	}
	x.url[name] = u
	x.files[u] = File{Body: body, Gzip: squeeze(body), Type: kind}
}

// squeeze compresses once, when the program starts. Assets hold no secrets; pages do, and go out as they are (BREACH).
func squeeze(body []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(body)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic(err) // impossible: a known level, into memory
	}
	return b.Bytes()
}

// URL is the address of an asset, e.g. URL("app.css"). An unknown name gives
// the address of nothing, and a test fails.
func URL(name string) string {
	if u, ok := load().url[name]; ok {
		return u
	}
	return Prefix + name
}

// Open finds an asset by the path a browser asked for.
func Open(p string) (File, bool) {
	f, ok := load().files[p]
	return f, ok
}
