// Package migrations holds the numbered SQL files that make the database.
//
// Out: the files, embedded. core/db applies them in order, each once.
package migrations

import "embed"

// FS holds NNNN_name.up.sql and NNNN_name.down.sql.
//
//go:embed *.sql
var FS embed.FS
