// Package cost works out what moving users changes on Cloudflare's bill: every month, and once. All money is
// in US dollars, by list price.
package cost

// PricesOf is the day on which the prices below were read; PricesFrom says where.
const (
	PricesOf   = "2026-11-23"
	PricesFrom = "developers.cloudflare.com: durable-objects/platform/pricing, r2/pricing, kv/platform/pricing (Workers Paid)"
)

// A price is what a meter costs beyond what Workers Paid includes each month.
type price struct{ included, each float64 }

const (
	million     = 1e6
	decimalGB   = 1e9 // Cloudflare's GB
	objectGB    = 0.125
	daysInMonth = 30
)

var (
	doRequests  = price{1 * million, 0.15 / million}
	doDuration  = price{400_000, 12.50 / million} // GB-seconds; an object counts as 128 MB
	rowsRead    = price{25_000 * million, 0.001 / million}
	rowsWritten = price{50 * million, 1.00 / million} // deletes and index entries count
	doStored    = price{5, 0.20}                      // GB-months
	r2Stored    = price{10, 0.015}
	classA      = price{1 * million, 4.50 / million} // put, list
	classB      = price{10 * million, 0.36 / million}
	kvReads     = price{10 * million, 0.50 / million}
	kvWrites    = price{1 * million, 5.00 / million}
)

// of is the price of an amount: with the included part still free, or with nothing left of it.
func (p price) of(amount float64, included bool) float64 {
	if included {
		amount = max(0, amount-p.included)
	}
	return amount * p.each
}
