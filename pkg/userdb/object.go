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
}

// Flag is a user's entry in KV: its key is the user's FlagKey, its value "true".
type Flag struct {
	User UserID
	Meta FlagMeta
}

// FlagMeta rides in the key's metadata, so that a listing tells a thousand users' states in one call. It is a hint like the flag itself:
// the sides decide. Workers KV allows 1,024 bytes of JSON.
type FlagMeta struct {
	Version int    `json:"v"`
	Lin     Claim  `json:"lin"`
	Gen     Claim  `json:"gen"`
	At      int64  `json:"at"` // Unix milliseconds of the migration
	Run     string `json:"run,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"` // size of the migrated file
}
