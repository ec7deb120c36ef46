// Package sqlitefile reads a user's SQLite database file exactly, finds what a Durable Object would not hold
// exactly, and builds such a file on the way back. It speaks the nouns of pkg/wire and does no network I/O.
// Whether a file may move at all, pkg/preflight says with it.
//
// Reading: Open, then Schema, Tables, Rows and Digest. Building: Create, Insert, Finish. A File and a Builder
// belong to one goroutine at a time; CheckIntegrity, which has a connection of its own, may run beside them.
package sqlitefile
