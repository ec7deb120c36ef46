package userdb

import "time"

// Object is what a HEAD, GET or listing says of one object. Size is in bytes. Metadata and ContentType are empty in listings, which do not carry them.
type Object struct {
	Key          ObjectKey
	Size         int64
	ETag         ETag
	LastModified time.Time
	ContentType  string
	Metadata     map[string]string
}

// PutOptions are the conditions and headers of a PUT. At most one of IfMatch and IfNoneMatch is set; IfNoneMatch stands for
// "If-None-Match: *", the object must not exist.
type PutOptions struct {
	IfMatch     ETag
	IfNoneMatch bool
	Metadata    map[string]string
	ContentType string
	MD5         []byte // of the body, 16 bytes, where the caller has it already; without it Put reads the body once more
}

// Flag is a user's entry in KV: its key is the user's FlagKey, its value FlagValue.
type Flag struct {
	User  UserID
	Value string // "" stands for FlagValue when it is written, and for "not read" in a listing, which carries no values
	Meta  FlagMeta
}

// FlagValue is the value of every flag. An application may test for its presence only.
const FlagValue = "true"

// FlagMetaVersion is the version of FlagMeta that this program writes.
const FlagMetaVersion = 1

// FlagMeta rides in the key's metadata, so that a listing tells a thousand users' states in one call. It is a hint like the flag itself:
// the sides decide. Workers KV allows 1,024 bytes of JSON. It is all zero for a flag that somebody else wrote.
type FlagMeta struct {
	Version int    `json:"v"`               // FlagMetaVersion
	Lineage Claim  `json:"lin"`             // the claim that produced the Durable Object's content
	Gen     Claim  `json:"gen"`             // the claim of the command that wrote the flag
	At      int64  `json:"at"`              // of the migration, Unix time in milliseconds
	Run     string `json:"run,omitempty"`   // the run that moved the user
	Bytes   int64  `json:"bytes,omitempty"` // size of the file that was moved
}
