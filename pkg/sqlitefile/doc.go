// Package sqlitefile reads a user's SQLite database file exactly, says whether a Durable Object can hold it
// exactly, and builds such a file on the way back. It speaks the nouns of pkg/wire and does no network I/O.
//
// Reading: Open, then Preflight, Schema, Tables, Rows and Digest. Building: Create, Insert, Finish. A File
// and a Builder belong to one goroutine at a time; CheckIntegrity, which has a connection of its own, may run
// beside them.
package sqlitefile
