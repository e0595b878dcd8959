// Package renewtext holds the sentences of the pages that a reminder's link leads to. They stand apart from the portal's other
// message files because each file system is loaded whole; both languages say the same.
package renewtext

import "embed"

// Messages are the sentences, ids "renew.…".
//
//go:embed messages.*.toml
var Messages embed.FS
