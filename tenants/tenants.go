// Package tenants holds the packs that come with the program: base, which every
// tenant inherits from, and the tenants it starts with. No Go but the embed.
package tenants

import (
	"embed"
	"io/fs"
)

//go:embed base byd kinglong
var files embed.FS

// Slugs are the packs that come with the program.
func Slugs() []string { return []string{"byd", "kinglong"} }

// Base is what every tenant inherits key by key.
func Base() fs.FS { return sub("base") }

// Pack is one tenant's folder; an unknown slug gives an empty one.
func Pack(slug string) fs.FS { return sub(slug) }

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil { // only for an invalid path, and these are ours
		panic(err)
	}
	return f
}
