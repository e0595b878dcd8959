// Package aftertext holds the sentences of the portal's pages from payment on. They stand apart from the portal's other
// message files because each file system is loaded whole; both languages say the same.
package aftertext

import "embed"

// Messages are the sentences, ids "after.…".
//
//go:embed messages.*.toml
var Messages embed.FS
