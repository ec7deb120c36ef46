package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/cost"
	"github.com/dbmigrate/dbmigrate/internal/units"
)

// trafficFlags are what a scan cannot see: how much the application is used.
type trafficFlags struct {
	requests, writes float64
	known            bool
}

func (t *trafficFlags) add(flags *pflag.FlagSet) {
	flags.Float64Var(&t.requests, "requests-per-day", 0, "how many requests a user's application makes a day, on average, for the monthly cost")
	flags.Float64Var(&t.writes, "writes-share", 0, "how many of them write, from 0 to 1")
}

func (t *trafficFlags) check(flags *pflag.FlagSet) error {
	requests, writes := flags.Changed("requests-per-day"), flags.Changed("writes-share")
	t.known = requests && writes
	switch {
	case requests != writes:
		return usageError("read flags", "", "--requests-per-day and --writes-share belong together", "a write costs several times what a read costs")
	case !(t.requests >= 0) || math.IsInf(t.requests, 0):
		return usageError("read --requests-per-day", fmt.Sprint(t.requests), "it is no number of requests", "")
	case !(t.writes >= 0 && t.writes <= 1):
		return usageError("read --writes-share", fmt.Sprint(t.writes), "it is not between 0 and 1", "0.2 means that one request in five writes")
	}
	return nil
}

// userCost is what the move of one user changes on the bill, in dollars (docs/scripting.md).
type userCost struct {
	Storage   float64     `json:"storageMonthly"`
	Monthly   *float64    `json:"monthly,omitempty"` // with known traffic
	BreakEven *float64    `json:"breakEvenRequestsPerDay,omitempty"`
	Once      *[2]float64 `json:"once"`
}

// fleetCost is that of all users who are recommended to move.
type fleetCost struct {
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

// price works out the costs of the users who are recommended to move.
func (s *survey) price(t *trafficFlags) {
	c, users, entries := fleetCost{Prices: cost.PricesOf, request: cost.Usual}, cost.Users{}, cost.Entries{}
	traffic := cost.Traffic{RequestsPerDay: t.requests, WritesShare: t.writes}
	for i := range s.lines {
		l := &s.lines[i]
		if l.Advice != adviceMigrate || len(l.Blocked) > 0 {
			continue
		}
		one := cost.Users{Count: 1, Bytes: l.Bytes}
		users, entries = cost.Users{Count: users.Count + 1, Bytes: users.Bytes + l.Bytes}, entries.Add(l.entries())
		l.Cost = priceUser(one, l.entries(), traffic, t.known)
	}
	included, beyond := cost.Once(users, entries, true), cost.Once(users, entries, false)
	c.Users, c.Bytes, c.Storage = users.Count, users.Bytes, cents(cost.StorageMonthly(users.Bytes))
	c.RowsWritten, c.Exact = [2]int64{entries.Low, entries.High}, entries.Exact()
	c.Once = [2]float64{cents(included.Low), cents(beyond.High)}
	c.PerMillion = [2]float64{cents(-1e6 * c.request.Saving(1)), cents(-1e6 * c.request.Saving(0))}
	if least := c.request.LeastWritesShare(); least <= 1 {
		c.LeastShare = rounded(least, 1000)
	}
	if t.known {
		c.WritesShare = &t.writes
		c.Monthly = &[2]float64{cents(cost.Monthly(users, traffic, c.request, true)), cents(cost.Monthly(users, traffic, c.request, false))}
	}
	s.cost = c
}

// entries are what a deep scan counted, or what a file of that size may hold.
func (l *scanned) entries() cost.Entries {
	if l.RowsWritten != nil {
		return cost.Counted(*l.RowsWritten)
	}
	return cost.Estimated(l.Bytes)
}

func priceUser(one cost.Users, entries cost.Entries, t cost.Traffic, known bool) *userCost {
	once := cost.Once(one, entries, false)
	c := &userCost{Storage: cents(cost.StorageMonthly(one.Bytes)), Once: &[2]float64{cents(once.Low), cents(once.High)}}
	if !known {
		return c
	}
	c.Monthly = rounded(cost.Monthly(one, t, cost.Usual, false), 1e6)
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

// formatUSD writes money with as many digits as say something: "$12.40", "$0.0019", "-$3.10".
func formatUSD(usd float64) string {
	sign, digits := "", 2
	if usd < 0 {
		sign, usd = "-", -usd
	}
	for shown := usd; shown > 0 && shown < 0.1 && digits < 6; digits++ {
		shown *= 10
	}
	return sign + "$" + fmt.Sprintf("%.*f", digits, usd)
}

func signedUSD(usd float64) string {
	if usd > 0 {
		return "+" + formatUSD(usd)
	}
	return formatUSD(usd)
}

func formatRange(low, high float64) string {
	if formatUSD(low) == formatUSD(high) {
		return formatUSD(low)
	}
	return formatUSD(low) + " to " + formatUSD(high)
}

// sentences say it for people. Where the traffic is not known there is a range and the formula, and no figure that would be a guess.
func (c *fleetCost) sentences() []string {
	if c.Users == 0 {
		return nil
	}
	return []string{
		"cost each month, moving " + plural(c.Users, "user") + ": " + c.monthText(),
		"cost once: " + formatRange(c.Once[0], c.Once[1]) + ", nearly all of it " + c.rowsText() + " written; the lower end is with all that the plan includes still free",
	}
}

func (c *fleetCost) monthText() string {
	storage := fmt.Sprintf("storage %s (after gc)", signedUSD(c.Storage))
	if c.Monthly == nil {
		return fmt.Sprintf("%s, and for each million requests between %s (all write) and %s (all read); --requests-per-day and --writes-share make it a figure",
			storage, signedUSD(c.PerMillion[0]), signedUSD(c.PerMillion[1]))
	}
	text := fmt.Sprintf("%s with all that the plan includes still free, %s beyond it; %s of that is storage", signedUSD(c.Monthly[0]), signedUSD(c.Monthly[1]), signedUSD(c.Storage))
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

func (c *fleetCost) rowsText() string {
	if c.Exact {
		return fmt.Sprintf("%s rows and index entries (counted)", formatInteger(c.RowsWritten[0]))
	}
	return fmt.Sprintf("%s to %s rows and index entries (an estimate by size, --deep counts)", formatInteger(c.RowsWritten[0]), formatInteger(c.RowsWritten[1]))
}

// Formula is how the monthly figure is made, with this scan's assumptions.
const costFormula = "0.185 S + (0.50 + 0.15 + 0.0015625 t + 0.001 r - 0.36) R + (w - 4.50) W"

func (c *fleetCost) assumptions() string {
	return fmt.Sprintf("S gigabytes moved, R and W million requests and writes a month, t = %g ms a request, r = %g rows read a request, w = %g rows written a write; list prices of %s",
		c.request.Milliseconds, c.request.RowsRead, c.request.RowsWritten, cost.PricesOf)
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", share*100) }

func formatCount(n float64) string {
	if n < 10 {
		return fmt.Sprintf("%.2g", n)
	}
	return formatInteger(int64(math.Ceil(n)))
}

// formatInteger separates thousands: "1,606,000".
func formatInteger(n int64) string {
	digits := fmt.Sprint(n)
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, groups...), ",")
}
