package cost

// Traffic is what one user's application does, on average.
type Traffic struct {
	RequestsPerDay float64
	WritesShare    float64 // of the requests, 0 to 1
}

// Request is what one request does to its database. It is an assumption, and is printed with every figure
// that rests on it.
type Request struct {
	Milliseconds float64 // for which the Durable Object is busy
	RowsRead     float64
	RowsWritten  float64 // by a request that writes: rows, index entries, and one of the Durable Object's own count of writes
}

// Usual is a small request: an indexed look-up of 20 rows, or one row written under one index.
var Usual = Request{Milliseconds: 10, RowsRead: 20, RowsWritten: 3}

// Users are those who would move: how many, and the size of their files.
type Users struct {
	Count int
	Bytes int64
}

// StorageMonthly is what the same bytes cost more a month in Durable Objects than in R2, once gc has freed
// the files. Until then R2 is paid as well.
func StorageMonthly(bytes int64) float64 {
	return float64(bytes) / decimalGB * (doStored.each - r2Stored.each)
}

// Saving is how much less one request costs after the move. Before, it loads the file (one read of R2) and,
// if it writes, saves it (one write); after, it reads the flag in KV and is one request to the Durable
// Object. Negative: it costs more.
func (r Request) Saving(writesShare float64) float64 {
	before := classB.each + writesShare*classA.each
	after := kvReads.each + doRequests.each + r.Milliseconds/1000*objectGB*doDuration.each + r.RowsRead*rowsRead.each + writesShare*r.RowsWritten*rowsWritten.each
	return before - after
}

// Monthly is what the move of the users changes on a month's bill; positive is more. included tells whether
// all that the plan includes is still there for it, on both sides, or nothing of it: what else the account
// uses is not known here, and the truth lies between the two.
func Monthly(u Users, t Traffic, r Request, included bool) float64 {
	requests := float64(u.Count) * t.RequestsPerDay * daysInMonth
	writes, gigabytes := requests*t.WritesShare, float64(u.Bytes)/decimalGB
	before := r2Stored.of(gigabytes, included) + classB.of(requests, included) + classA.of(writes, included)
	after := doStored.of(
		gigabytes,
		included,
	) + kvReads.of(
		requests,
		included,
	) + doRequests.of(
		requests,
		included,
	) +
		doDuration.of(
			requests*r.Milliseconds/1000*objectGB,
			included,
		) + rowsRead.of(
		requests*r.RowsRead,
		included,
	) +
		rowsWritten.of(
			writes*r.RowsWritten,
			included,
		)
	return after - before
}

// BreakEven is the number of requests a day from which a user with so many bytes costs less after the move,
// beyond what the plan includes. False: at this share of writes no number of requests is enough.
func BreakEven(bytes int64, writesShare float64, r Request) (requestsPerDay float64, ever bool) {
	saving := r.Saving(writesShare)
	if saving <= 0 {
		return 0, false
	}
	return StorageMonthly(bytes) / saving / daysInMonth, true
}

// LeastWritesShare is the share of writes from which some number of requests breaks even; above 1 there is
// none.
func (r Request) LeastWritesShare() float64 {
	perWrite := r.Saving(1) - r.Saving(0)
	if perWrite <= 0 {
		return 2
	}
	return max(0, -r.Saving(0)/perWrite)
}

// R2Storage is what R2 asks for so many bytes, a month, beyond what is included.
func R2Storage(bytes int64) float64 { return float64(bytes) / decimalGB * r2Stored.each }
