// Package preflight says whether a Durable Object can hold a SQLite file exactly, before anything is sent: by
// its header and its schema, by SQLite's own integrity check and by every row. What stands against it are
// findings, each with a stable reason code (docs/preflight.md), the object, what is wrong and the way out.
//
// FirstLook judges a large file in the bucket by the few pages of its header and schema.
package preflight
