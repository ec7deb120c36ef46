package cost

// What a database's entries (rows and index entries) weigh when nobody has counted them. Of real databases,
// one with small rows under many indexes had 16 bytes of file for each entry, one with texts 460; free pages,
// documents and pictures make it more.
const (
	FewestBytesPerEntry = 15
	MostBytesPerEntry   = 1000
)

// Entries is how many rows and index entries a move writes. Low and High are equal where they were counted.
type Entries struct{ Low, High int64 }

// Counted is an exact number.
func Counted(n int64) Entries { return Entries{n, n} }

// Estimated is what a file of so many bytes may hold.
func Estimated(bytes int64) Entries {
	return Entries{bytes / MostBytesPerEntry, bytes / FewestBytesPerEntry}
}

// Add is both together.
func (e Entries) Add(other Entries) Entries { return Entries{e.Low + other.Low, e.High + other.High} }

// Exact says whether the entries were counted.
func (e Entries) Exact() bool { return e.Low == e.High }

// Range is an amount of money between two bounds.
type Range struct{ Low, High float64 }

// What the move of one user asks for beside rows: reads of the file, the PUT of the fence, the flag, and
// calls of the Durable Object; each carries at most a few megabytes.
const (
	readsPerUser = 3
	putsPerUser  = 1
	callsPerUser = 12
	bytesPerCall = 4_000_000
)

// Once is what moving the users costs one time. Rows written are nearly all of it. included as in Monthly; a
// move that has to be repeated pays its rows again.
func Once(u Users, e Entries, included bool) Range {
	count := float64(u.Count)
	fixed := kvWrites.of(
		count,
		included,
	) + classA.of(
		count*putsPerUser,
		included,
	) + classB.of(
		count*readsPerUser,
		included,
	) +
		doRequests.of(
			count*callsPerUser+float64(u.Bytes)/bytesPerCall,
			included,
		)
	return Range{
		fixed + rowsWritten.of(float64(e.Low), included),
		fixed + rowsWritten.of(float64(e.High), included),
	}
}
