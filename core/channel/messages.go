package channel

import "embed"

// Messages are this package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS
