// Package migrations holds the numbered SQL files that make the database.
//
// Out: the files, embedded. core/db applies them in order, each once. schema.sql is what they make, for people to read; a
// test keeps it equal.
package migrations

import "embed"

// FS holds NNNN_name.up.sql and NNNN_name.down.sql.
//
//go:embed *.up.sql *.down.sql
var FS embed.FS
