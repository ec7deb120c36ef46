package scan

import (
	"fmt"
	"math"

	"github.com/dbmigrate/dbmigrate/internal/cost"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// UserCost is what the move of one user changes on the bill, in dollars (docs/scripting.md).
type UserCost struct {
	Storage   float64     `json:"storageMonthly"`
	Monthly   *float64    `json:"monthly,omitempty"` // with known traffic
	BreakEven *float64    `json:"breakEvenRequestsPerDay,omitempty"`
	Once      *[2]float64 `json:"once"`
}

// FleetCost is that of all users who are recommended to move.
type FleetCost struct {
	Prices      string      `json:"prices"` // the day of the price list
	Users       int         `json:"users"`
	Bytes       int64       `json:"bytes"`
	Storage     float64     `json:"storageMonthly"`
	Monthly     *[2]float64 `json:"monthly,omitempty"`  // with all that the plan includes, and with nothing of it
	PerMillion  [2]float64  `json:"perMillionRequests"` // what a million requests change: all writes, all reads
	WritesShare *float64    `json:"writesShare,omitempty"`
	LeastShare  *float64    `json:"leastWritesShare,omitempty"` // from which there is a break-even at all
	RowsWritten [2]int64    `json:"rowsWritten"`
	Exact       bool        `json:"rowsWrittenExact"`
	Sampled     int         `json:"rowsWrittenSampled,omitempty"` // files of a sample that the rows follow from
	Once        [2]float64  `json:"once"`                         // from all included with the fewest rows, to nothing included with the most

	request cost.Request
	few     int // files that were read, too few for a sample
}

// moving are the users who are recommended to move.
type moving struct {
	users   cost.Users
	entries cost.Entries // of files that were read
	sample  sample       // the same files
	unread  int64        // bytes of the others
	others  int
}

// add works out the user's own costs.
func (m *moving) add(u *User, traffic *cost.Traffic) {
	if u.Advice != AdviceMigrate || len(u.Blocked) > 0 {
		return
	}
	m.users = cost.Users{Count: m.users.Count + 1, Bytes: m.users.Bytes + u.Bytes}
	if u.RowsWritten != nil {
		m.entries = m.entries.Add(u.entries())
		m.sample.add(float64(u.Bytes), float64(*u.RowsWritten))
	} else {
		m.unread += u.Bytes
		m.others++
	}
	u.Cost = priceUser(cost.Users{Count: 1, Bytes: u.Bytes}, u.entries(), traffic)
}

// all are the entries of read and unread files together: counted, as the read ones let expect of the others,
// or by size alone.
func (m *moving) all() (e cost.Entries, sampled int) {
	if m.others == 0 {
		return m.entries, 0
	}
	rest := cost.Estimated(m.unread)
	if low, high, known := m.sample.expect(float64(m.unread), float64(m.others)); known {
		rest = cost.Entries{Low: max(rest.Low, int64(low)), High: min(rest.High, int64(math.Ceil(high)))}
		sampled = int(m.sample.n)
	}
	return m.entries.Add(rest), sampled
}

// sample is what files that were read say of those that were not: rows for each byte, and how far single
// files are from that.
type sample struct{ n, bytes, rows, bytes2, rows2, both float64 }

// leastSample is from how many files on a sample is believed.
const leastSample = 10

func (s *sample) add(bytes, rows float64) {
	s.n++
	s.bytes += bytes
	s.rows += rows
	s.bytes2 += bytes * bytes
	s.rows2 += rows * rows
	s.both += bytes * rows
}

// expect is between how many rows other files are: the ratio estimator, and two deviations to each side, of
// the ratio's error and the scatter of the others. In large samples that holds 95 of 100 times. In one of
// twenty files, where larger files scatter more, it is nine of ten (TestSample).
func (s *sample) expect(bytes, files float64) (low, high float64, known bool) {
	if s.n < leastSample || s.bytes == 0 {
		return 0, 0, false
	}
	ratio := s.rows / s.bytes
	scatter := max(0, s.rows2-2*ratio*s.both+ratio*ratio*s.bytes2) / (s.n - 1)
	deviation := math.Sqrt(scatter * files * (1 + files/s.n))
	return max(0, ratio*bytes-2*deviation), ratio*bytes + 2*deviation, true
}

// price works out the costs of the users who are recommended to move.
func (r *Report) price(traffic *cost.Traffic) {
	c, users := FleetCost{Prices: cost.PricesOf, request: cost.Usual}, r.moving.users
	entries, sampled := r.moving.all()
	c.Sampled = sampled
	if sampled == 0 && r.moving.others > 0 {
		c.few = int(r.moving.sample.n)
	}
	included, beyond := cost.Once(users, entries, true), cost.Once(users, entries, false)
	c.Users, c.Bytes, c.Storage = users.Count, users.Bytes, cents(cost.StorageMonthly(users.Bytes))
	c.RowsWritten, c.Exact = [2]int64{entries.Low, entries.High}, r.moving.others == 0
	c.Once = [2]float64{cents(included.Low), cents(beyond.High)}
	c.PerMillion = [2]float64{cents(-1e6 * c.request.Saving(1)), cents(-1e6 * c.request.Saving(0))}
	if least := c.request.LeastWritesShare(); least <= 1 {
		c.LeastShare = rounded(least, 1000)
	}
	if traffic != nil {
		c.WritesShare = &traffic.WritesShare
		c.Monthly = &[2]float64{
			cents(cost.Monthly(users, *traffic, c.request, true)),
			cents(cost.Monthly(users, *traffic, c.request, false)),
		}
	}
	r.Cost = c
}

// entries are what a deep scan counted, or what a file of that size may hold.
func (l *User) entries() cost.Entries {
	if l.RowsWritten != nil {
		return cost.Counted(*l.RowsWritten)
	}
	return cost.Estimated(l.Bytes)
}

func priceUser(one cost.Users, entries cost.Entries, t *cost.Traffic) *UserCost {
	once := cost.Once(one, entries, false)
	c := &UserCost{
		Storage: cents(cost.StorageMonthly(one.Bytes)),
		Once:    &[2]float64{cents(once.Low), cents(once.High)},
	}
	if t == nil {
		return c
	}
	c.Monthly = rounded(cost.Monthly(one, *t, cost.Usual, false), 1e6)
	if perDay, ever := cost.BreakEven(one.Bytes, t.WritesShare, cost.Usual); ever {
		c.BreakEven = rounded(perDay, 100)
	}
	return c
}

// cents keeps a millionth of a dollar: a user of a megabyte costs $0.000185 a month.
func cents(usd float64) float64 { return math.Round(usd*1e6) / 1e6 }

func rounded(n, parts float64) *float64 {
	n = math.Round(n*parts) / parts
	return &n
}

// Sentences say it for people. Where the traffic is not known there is a range and the formula, and no figure
// that would be a guess.
func (c *FleetCost) Sentences() []string {
	if c.Users == 0 {
		return nil
	}
	return []string{
		"cost each month, moving " + units.Plural(c.Users, "user") + ": " + c.monthText(),
		"cost once: " + cost.FormatRange(
			c.Once[0],
			c.Once[1],
		) + ", nearly all of it " + c.rowsText() + " written; the lower end is with all that the plan includes still free",
	}
}

func (c *FleetCost) monthText() string {
	storage := fmt.Sprintf("storage %s (after gc)", cost.FormatChange(c.Storage))
	if c.Monthly == nil {
		return fmt.Sprintf(
			"%s, and for each million requests between %s (all write) and %s (all read); --requests-per-day and --writes-share make it a figure",
			storage,
			cost.FormatChange(c.PerMillion[0]),
			cost.FormatChange(c.PerMillion[1]),
		)
	}
	text := fmt.Sprintf(
		"%s with all that the plan includes still free, %s beyond it%s",
		cost.FormatChange(c.Monthly[0]),
		cost.FormatChange(c.Monthly[1]),
		c.storageText(),
	)
	perDay, ever := cost.BreakEven(units.MB, *c.WritesShare, c.request)
	switch {
	case ever:
		text += fmt.Sprintf("; a user of 1.00 MB breaks even at %s requests a day", formatCount(perDay))
	case c.LeastShare != nil:
		text += fmt.Sprintf(
			"; at %s writes it never pays for itself; it would from %s",
			percent(*c.WritesShare),
			percent(*c.LeastShare),
		)
	default:
		text += fmt.Sprintf("; at %s writes it never pays for itself", percent(*c.WritesShare))
	}
	return text
}

// storageText is storage's part of what the month costs beyond the plan. It is no part of it where requests
// save more than storage costs.
func (c *FleetCost) storageText() string {
	switch {
	case c.Storage <= 0:
		return ""
	case c.Monthly[1] >= c.Storage:
		return "; " + cost.FormatUSD(c.Storage) + " of the latter is storage"
	}
	return fmt.Sprintf("; in the latter storage is %s, and requests are %s",
		cost.FormatChange(c.Storage), cost.FormatChange(c.Monthly[1]-c.Storage))
}

func (c *FleetCost) rowsText() string {
	if c.Exact {
		return fmt.Sprintf("%s rows and index entries (counted)", units.FormatInteger(c.RowsWritten[0]))
	}
	how := "an estimate by size, --deep counts"
	switch {
	case c.few > 0:
		how = fmt.Sprintf("an estimate by size: %d of these files were read, and a sample has %d", c.few, leastSample)
	case c.Sampled > 0:
		how = fmt.Sprintf("expected from a sample of %d, --deep counts", c.Sampled)
	}
	return fmt.Sprintf(
		"%s to %s rows and index entries ("+how+")",
		units.FormatInteger(c.RowsWritten[0]),
		units.FormatInteger(c.RowsWritten[1]),
	)
}

// Formula is how the monthly figure is made, with this scan's assumptions.
const costFormula = "0.185 S + (0.50 + 0.15 + 0.0015625 t + 0.001 r - 0.36) R + (w - 4.50) W"

func (c *FleetCost) assumptions() string {
	return fmt.Sprintf(
		"S gigabytes moved, R and W million requests and writes a month, t = %g ms a request, r = %g rows read a request, w = %g rows written a write; list prices of %s",
		c.request.Milliseconds,
		c.request.RowsRead,
		c.request.RowsWritten,
		cost.PricesOf,
	)
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", share*100) }

func formatCount(n float64) string {
	if n < 10 {
		return fmt.Sprintf("%.2g", n)
	}
	return units.FormatInteger(int64(math.Ceil(n)))
}

// checkCap refuses to move users when that may cost more than so many dollars once, with nothing of what the
// plan includes left. The rows are not counted here: a database of small rows under many indexes is assumed.
func checkCap(usd float64, users []inspect.Found) error {
	moved, entries := cost.Users{}, cost.Entries{}
	for _, u := range users {
		if u.Place == inspect.PlaceFile {
			moved = cost.Users{Count: moved.Count + 1, Bytes: moved.Bytes + u.Bytes}
			entries = entries.Add(cost.Estimated(u.Bytes))
		}
	}
	once := cost.Once(moved, entries, false)
	if once.High <= usd {
		return nil
	}
	return userdb.UsageError(
		"check --max-cost",
		cost.FormatUSD(usd),
		fmt.Sprintf(
			"moving %s with %s may cost %s once, by %s to %s rows and index entries written, list prices of %s and nothing included",
			units.Plural(
				moved.Count,
				"user",
			),
			units.FormatSize(moved.Bytes),
			cost.FormatRange(once.Low, once.High),
			units.FormatInteger(entries.Low),
			units.FormatInteger(entries.High),
			cost.PricesOf,
		),
		"`dbmigrate scan --deep` counts the rows; then raise --max-cost, or choose fewer users",
	)
}
