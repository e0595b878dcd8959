// Package aftertext holds the sentences of the pages from payment on.
package aftertext

import "embed"

// Messages are the sentences.
//
//go:embed messages.*.toml
var Messages embed.FS
