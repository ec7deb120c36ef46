package userdb

// Phase is the state of a user's Durable Object (docs/cutover.md, section 2).
type Phase string

// The phases. The Durable Object accepts the application's writes in Active only.
const (
	Empty     Phase = "EMPTY"
	Importing Phase = "IMPORTING"
	Ready     Phase = "READY"
	Active    Phase = "ACTIVE"
	Sealed    Phase = "SEALED"
)

// Claim is a number that a Durable Object hands out, one per command, always growing and never used again.
// It stands in the file's marks as 32 bits. Zero is "none".
type Claim uint32

// ETag is the S3 entity tag of an object, with its quotes as S3 sends it.
type ETag string

// ObjectKey is the key of an object in the bucket.
type ObjectKey string
