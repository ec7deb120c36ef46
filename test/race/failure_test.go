package race

import (
	"context"
	"errors"
	"testing"
)

// TestAFailureAfterTheEndCounts: what a client or an operator finds wrong in what it still does after the
// race has reached its numbers is a failure of the race.
func TestAFailureAfterTheEndCounts(t *testing.T) {
	late := errors.New("a write was lost")
	for _, c := range []struct {
		name string
		said []error
		want error
	}{
		{"no failure", []error{nil, errEnough}, nil},
		{"after the end", []error{errEnough, late, errors.New("what follows from it")}, late},
		{"before the end", []error{late, errEnough}, late},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			r := &race{cancel: cancel}
			for _, err := range c.said {
				r.failOn(err)
			}
			if got := r.whatFailed(ctx); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
