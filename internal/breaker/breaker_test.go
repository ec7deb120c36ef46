package breaker

import (
	"errors"
	"slices"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// What is not an outage opens nothing, and neither do outages with a success between.
func TestWhatOpensTheBreaker(t *testing.T) {
	outage := &userdb.Error{Kind: userdb.Unreachable, Err: errors.New("HTTP 502")}
	threw := &userdb.Error{Kind: userdb.Unreachable, Err: &wire.RemoteError{Kind: wire.KindApplicationThrew}}
	other := &userdb.Error{Kind: userdb.Blocked, Err: errors.New("no")}
	for _, c := range []struct {
		failures []error
		open     bool
	}{
		{[]error{outage, outage, outage}, true},
		{[]error{outage, outage}, false},
		{[]error{outage, outage, nil, outage}, false},
		{[]error{outage, outage, other, outage}, false},
		{slices.Repeat([]error{threw}, 9), false},
		{slices.Repeat([]error{other}, 9), false},
	} {
		b := &Breaker{Probes: []Probe{{}}}
		for _, err := range c.failures {
			b.Saw(result.Result{Failure: err})
		}
		if b.isOpen() != c.open {
			t.Errorf("%v: open %v", c.failures, b.isOpen())
		}
	}
}
