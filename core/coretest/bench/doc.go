// Package bench holds measurements only: what the issue asks of the program's speed and size, each beside a floor or a peer
// measured in the same run. The real certsaas runs as a process of its own on a private PostgreSQL that writes to disk as it
// would in service; clients are this test binary.
//
// scripts/bench runs it and prints one table; `go test` alone goes through everything once, briefly, and judges nothing but
// that it works.
package bench
