package scan

import (
	"fmt"
	"math"

	"github.com/dbmigrate/dbmigrate/internal/cost"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
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
	Once        [2]float64  `json:"once"` // from all included with the fewest rows, to nothing included with the most

	request cost.Request
}

// moving are the users who are recommended to move.
type moving struct {
	users   cost.Users
	entries cost.Entries
}

// add works out the user's own costs.
func (m *moving) add(u *User, traffic *cost.Traffic) {
	if u.Advice != AdviceMigrate || len(u.Blocked) > 0 {
		return
	}
	m.users = cost.Users{Count: m.users.Count + 1, Bytes: m.users.Bytes + u.Bytes}
	m.entries = m.entries.Add(u.entries())
	u.Cost = priceUser(cost.Users{Count: 1, Bytes: u.Bytes}, u.entries(), traffic)
}

// price works out the costs of the users who are recommended to move.
func (r *Report) price(traffic *cost.Traffic) {
	c, users, entries := FleetCost{Prices: cost.PricesOf, request: cost.Usual}, r.moving.users, r.moving.entries
	included, beyond := cost.Once(users, entries, true), cost.Once(users, entries, false)
	c.Users, c.Bytes, c.Storage = users.Count, users.Bytes, cents(cost.StorageMonthly(users.Bytes))
	c.RowsWritten, c.Exact = [2]int64{entries.Low, entries.High}, entries.Exact()
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
		"%s with all that the plan includes still free, %s beyond it; %s of that is storage",
		cost.FormatChange(c.Monthly[0]),
		cost.FormatChange(c.Monthly[1]),
		cost.FormatChange(c.Storage),
	)
	perDay, ever := cost.BreakEven(units.MB, *c.WritesShare, c.request)
	switch {
	case ever:
		text += fmt.Sprintf("; a user of 1.00 MB breaks even at %s requests a day", formatCount(perDay))
	case c.LeastShare != nil:
		text += fmt.Sprintf("; it never breaks even below %s of requests that write", percent(*c.LeastShare))
	default:
		text += "; it never breaks even"
	}
	return text
}

func (c *FleetCost) rowsText() string {
	if c.Exact {
		return fmt.Sprintf("%s rows and index entries (counted)", units.FormatInteger(c.RowsWritten[0]))
	}
	return fmt.Sprintf(
		"%s to %s rows and index entries (an estimate by size, --deep counts)",
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

// CheckCap refuses to move users when that may cost more than so many dollars once, with nothing of what the
// plan includes left. The rows are not counted here: a database of small rows under many indexes is assumed.
func CheckCap(usd float64, users []migrate.Found) error {
	moved, entries := cost.Users{}, cost.Entries{}
	for _, u := range users {
		if u.Place == migrate.PlaceR2 {
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
