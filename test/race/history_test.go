package race

import (
	"strings"
	"testing"
	"time"
)

func at(called, returned int) interval {
	return interval{called: time.Duration(called), returned: time.Duration(returned)}
}

// TestCheck shows that the judge can tell right from wrong.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(*epoch)
		ok   bool
	}{
		{"writes and reads in order", func(e *epoch) {
			e.wrote(0, present, 1, 1, at(0, 10))
			e.looked(1, present, ledger{1, 1}, at(11, 20))
			e.wrote(0, present, 2, 2, at(21, 30))
		}, true},
		{"a read beside a write sees either", func(e *epoch) {
			e.wrote(0, present, 1, 1, at(0, 100))
			e.looked(1, present, ledger{1, 1}, at(10, 20))
			e.looked(2, present, ledger{0, 0}, at(5, 20))
		}, true},
		{"an acknowledged write is not in a later read", func(e *epoch) {
			e.wrote(0, present, 1, 1, at(0, 10))
			e.looked(1, present, ledger{0, 0}, at(11, 20))
		}, false},
		{"a read goes back behind another one", func(e *epoch) {
			e.wrote(0, present, 1, 1, at(0, 100))
			e.looked(1, present, ledger{1, 1}, at(10, 20))
			e.looked(2, present, ledger{0, 0}, at(21, 30))
		}, false},
		{"two writes on two sides get the same number", func(e *epoch) {
			e.wrote(0, present, 1, 1, at(0, 10))
			e.wrote(1, present, 2, 1, at(5, 15))
		}, false},
		{"a write of unknown outcome explains what is seen", func(e *epoch) {
			e.wrote(0, present, 1, 2, at(20, 30))
			e.happened(1, present, 7, at(0, 10))
			e.looked(2, present, ledger{2, 1}, at(31, 40))
		}, true},
		{"a write of unknown outcome lands much later", func(e *epoch) {
			e.happened(1, present, 7, at(0, 10))
			e.looked(2, present, ledger{0, 0}, at(31, 40))
			e.looked(2, present, ledger{1, 7}, at(51, 60))
		}, true},
		{"a write takes effect before it was sent", func(e *epoch) {
			e.looked(2, present, ledger{1, 1}, at(0, 10))
			e.wrote(0, present, 1, 1, at(11, 20))
		}, false},
		{"each part counts for itself", func(e *epoch) {
			e.wrote(0, present, 1, 1, at(0, 10))
			e.wrote(1, archive, 2, 1, at(5, 15))
			e.lookedAtBoth(2, state{{1, 1}, {1, 2}}, at(16, 20))
		}, true},
		{"an acknowledged write is not in a later look at both", func(e *epoch) {
			e.wrote(0, archive, 1, 1, at(0, 10))
			e.lookedAtBoth(2, state{}, at(11, 20))
		}, false},
		{"a look at both is of two moments", func(e *epoch) {
			e.wrote(0, present, 1, 1, at(0, 10))
			e.wrote(0, archive, 2, 1, at(11, 20))
			e.lookedAtBoth(2, state{{0, 0}, {1, 2}}, at(0, 30))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var e epoch
			c.make(&e)
			if err := e.check(); (err == nil) != c.ok {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestAudit shows that what is there is counted rightly.
func TestAudit(t *testing.T) {
	for _, c := range []struct {
		name             string
		before, now, ack []int64
		unknown          int64
		want             string // in the error; empty: all is well
	}{
		{"all there", []int64{1, 2}, []int64{1, 2, 3}, []int64{3}, 0, ""},
		{"lost now", []int64{1}, []int64{1}, []int64{2}, 0, "[2] were acknowledged and lost"},
		{"lost from before", []int64{1, 2}, []int64{2, 3}, []int64{3}, 0, "[1] were acknowledged and lost"},
		{"twice", []int64{1}, []int64{1, 2, 2}, []int64{2}, 0, "[2] were applied twice"},
		{"refused, and there", []int64{1}, []int64{1, 2}, nil, 0, "[2] were applied, although they were refused"},
		{"unknown, and there", []int64{1}, []int64{1, 2}, nil, 2, ""},
		{"other order", []int64{1, 2}, []int64{2, 1}, nil, 0, "entries changed their order"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := audit(c.before, c.now, c.ack, map[int64]interval{c.unknown: {}})
			err := found.err()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("found %v, want %q", err, c.want)
			}
			if c.unknown != 0 && len(found.appeared) != 1 {
				t.Errorf("appeared: %v", found.appeared)
			}
		})
	}
}
