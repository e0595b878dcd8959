// Package remindtext holds the sentences of the console's pages about reminders and about the platform's own work. They stand apart from the console's other
// message files because each file system is loaded whole; both languages say the same.
package remindtext

import "embed"

// Messages are the sentences, ids "remind.…", "console.worry.…", "console.job.…", "console.health.…", "console.audit.…" and "console.act.…", and the name in the console's rail.
//
//go:embed messages.*.toml
var Messages embed.FS
