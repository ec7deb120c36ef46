package userdb

import (
	"strconv"
	"time"
)

// Object is what a HEAD, GET or listing says of one object. Size is in bytes. Metadata, ContentType and
// Headers are empty in listings, which do not carry them.
type Object struct {
	Key          ObjectKey
	Size         int64
	ETag         ETag
	LastModified time.Time
	ContentType  string
	Metadata     map[string]string
	Headers      Headers
}

// Headers are what an object carries for those who download it, as HTTP says it, and its storage class. A PUT
// replaces them all, so to write a file back is to say them again.
type Headers struct {
	CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Expires string
	StorageClass                                                                string
}

// Coding is the content coding under which the bytes lie, "" for none. What S3 clients leave of their own way
// to upload is none.
func (h Headers) Coding() string {
	switch h.ContentEncoding {
	case "identity", "aws-chunked":
		return ""
	}
	return h.ContentEncoding
}

// EncodedError says that an object has a Content-Encoding: what arrives depends on who decodes it on the way.
type EncodedError struct{ Object Object }

func (e *EncodedError) Error() string {
	return "it is stored with Content-Encoding " + strconv.Quote(e.Object.Headers.ContentEncoding)
}

// PutOptions are the conditions and headers of a PUT. At most one of IfMatch and IfNoneMatch is set;
// IfNoneMatch stands for "If-None-Match: *", the object must not exist.
type PutOptions struct {
	IfMatch     ETag
	IfNoneMatch bool
	Metadata    map[string]string
	ContentType string
	Headers     Headers
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

// FlagMeta rides in the key's metadata, so that a listing tells a thousand users' states in one call. It is a
// hint like the flag itself: the sides decide. Workers KV allows 1,024 bytes of JSON. It is all zero for a
// flag that somebody else wrote.
type FlagMeta struct {
	Version int     `json:"v"`               // FlagMetaVersion
	Lineage Lineage `json:"lin"`             // the claim that produced the Durable Object's content
	Gen     Claim   `json:"gen"`             // the claim of the command that wrote the flag
	At      int64   `json:"at"`              // of the migration, Unix time in milliseconds
	Run     string  `json:"run,omitempty"`   // the run that moved the user
	Bytes   int64   `json:"bytes,omitempty"` // size of the file that was moved
}
