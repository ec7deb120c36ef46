package cost

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > math.Abs(want)*1e-9+1e-15 {
		t.Errorf("%s: %.12f, want %.12f", what, got, want)
	}
}

// All figures below are worked out by hand from the price list, per million requests unless said otherwise.

func TestSaving(t *testing.T) {
	r := Request{Milliseconds: 10, RowsRead: 20, RowsWritten: 1}
	// A read: one class B (0.36) less; a flag (0.50), a request (0.15), 10 ms x 0.125 GB = 1,250 GB-s
	// (0.015625), 20 M rows read (0.02) more.
	near(t, "read", r.Saving(0)*1e6, 0.36-0.50-0.15-0.015625-0.02)
	// A write: one class A (4.50) less and one row written (1.00) more than a read.
	near(t, "write", r.Saving(1)*1e6, 0.36-0.50-0.15-0.015625-0.02+4.50-1.00)
	near(t, "one in five writes", r.Saving(0.2)*1e6, -0.325625+0.2*3.50)
}

func TestBreakEven(t *testing.T) {
	// 1 MB is 0.001 GB; it costs 0.000185 more a month. At 3.174375 a million, that is 58.28 requests a
	// month.
	perDay, ever := BreakEven(1_000_000, 1, Request{Milliseconds: 10, RowsRead: 20, RowsWritten: 1})
	if !ever {
		t.Fatal("never")
	}
	near(t, "1 MB, all writes", perDay, 0.000185/3.174375e-6/30)
	ten, _ := BreakEven(10_000_000, 1, Request{Milliseconds: 10, RowsRead: 20, RowsWritten: 1})
	near(t, "10 MB", ten, 10*perDay)
	if _, ever := BreakEven(1_000_000, 0, Usual); ever {
		t.Error("reads alone never break even: the flag costs more than the read of R2 that it saves")
	}
	if _, ever := BreakEven(1_000_000, 1, Request{Milliseconds: 10, RowsRead: 20, RowsWritten: 5}); ever {
		t.Error("five rows for each write cost more than the PUT that they save")
	}
	// 0.325625 / (4.50 - 3.00)
	near(t, "least share", Usual.LeastWritesShare(), 0.325625/1.5)
	if share := (Request{RowsWritten: 5}).LeastWritesShare(); share <= 1 {
		t.Errorf("least share %f, want none", share)
	}
}

func TestMonthly(t *testing.T) {
	// 1,000 users with 1 MB each, 100 requests a day, one in five a write: 3 M requests and 600,000 writes a
	// month.
	u, traffic := Users{Count: 1000, Bytes: 1_000_000_000}, Traffic{RequestsPerDay: 100, WritesShare: 0.2}
	// before: 0.015 + 3 x 0.36 + 0.6 x 4.50 = 3.795
	// after:  0.20 + 3 x 0.50 + 3 x 0.15 + 3 x 0.015625 + 3 x 0.02 + 1.8 x 1.00 = 4.056875
	near(t, "nothing included", Monthly(u, traffic, Usual, false), 4.056875-3.795)
	// Included: R2 and its operations are within the plan; of the rest only 2 M requests to Durable Objects
	// are not: 0.30.
	near(t, "all included", Monthly(u, traffic, Usual, true), 0.30)
	near(t, "no traffic", Monthly(u, Traffic{}, Usual, false), 0.185)
	near(t, "storage", StorageMonthly(1_000_000_000), 0.185)
}

func TestOnce(t *testing.T) {
	// The example of the price list: 100,000 users with 1,000 rows and two indexes each are 300 M rows
	// written.
	u := Users{Count: 100_000, Bytes: 100_000_000_000}
	got := Once(u, Counted(300_000_000), true)
	// 250 M rows beyond the plan (250) and 1,225,000 calls, 225,000 of them beyond it (0.03375); the rest is
	// within it.
	near(t, "included", got.Low, 250.03375)
	near(t, "included", got.High, got.Low)
	// Nothing included: 300 + flags 0.5 + puts 0.45 + reads 0.108 + calls 0.18375.
	near(t, "not included", Once(u, Counted(300_000_000), false).High, 300+0.5+0.45+0.108+0.18375)
	e := Estimated(1_000_000).Add(Counted(10))
	if e.Low != 1010 || e.High != 66_676 || e.Exact() {
		t.Errorf("estimated %+v", e)
	}
	if r := Once(Users{}, Entries{}, false); r != (Range{}) {
		t.Errorf("nobody costs %+v", r)
	}
}
