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

// The phases of split mode (docs/split.md). The Durable Object accepts writes of cold rows in Cold only, and
// never answers for hot ones.
const (
	Splitting  Phase = "SPLITTING"   // cold rows are being imported; the file is whole
	SplitReady Phase = "SPLIT_READY" // under the fence: the PUT of the hot rows may be under way
	Cold       Phase = "COLD"        // cold rows are here, hot ones in the file
	ColdSealed Phase = "COLD_SEALED" // a merge was begun
	Merging    Phase = "MERGING"     // under the fence: the PUT of the whole file may be under way
)

// Split says whether the phase is one of split mode.
func (p Phase) Split() bool {
	switch p {
	case Splitting, SplitReady, Cold, ColdSealed, Merging:
		return true
	}
	return false
}

// Claim is a number that a Durable Object hands out, one per command, always growing and never used again.
// It stands in the file's marks as 32 bits. Zero is "none".
type Claim uint32

// A claim plays three parts in a mark. Each has a type of its own, so that the compiler finds one in the
// place of another.
type (
	// Lineage is the claim of the import that a Durable Object holds.
	Lineage uint32
	// Nonce is the claim of the command that wrote a fence.
	Nonce uint32
	// Stamp is the claim of the command that made a file authoritative again.
	Stamp uint32
)

// Lineage is that of what the claim's command imports.
func (c Claim) Lineage() Lineage { return Lineage(c) }

// Nonce is that of a fence which the claim's command writes.
func (c Claim) Nonce() Nonce { return Nonce(c) }

// Stamp is that of a file which the claim's command puts back.
func (c Claim) Stamp() Stamp { return Stamp(c) }

// Claim is the number that the import was made under.
func (l Lineage) Claim() Claim { return Claim(l) }

// Claim is the number that the fence was written under.
func (n Nonce) Claim() Claim { return Claim(n) }

// Claim is the number that the file was put back under.
func (s Stamp) Claim() Claim { return Claim(s) }

// ETag is the S3 entity tag of an object, with its quotes as S3 sends it.
type ETag string

// ObjectKey is the key of an object in the bucket.
type ObjectKey string
