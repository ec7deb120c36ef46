package parallel

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func TestEachKeepsTheCause(t *testing.T) {
	cause := errors.New("cause")
	err := Each(t.Context(), 100, 4, func(ctx context.Context, i int) error {
		if i == 3 {
			return cause
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

func TestEachStartsNoMoreOnceItIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var begun atomic.Int32
	err := Each(ctx, 100, 4, func(context.Context, int) error {
		begun.Add(1)
		cancel()
		return nil
	})
	if n := begun.Load(); n > 4 || !IsCancelled(err) {
		t.Errorf("%d begun, %v", n, err)
	}
}

func TestEachDoesAll(t *testing.T) {
	var sum, inFlight, most atomic.Int32
	err := Each(t.Context(), 100, 3, func(_ context.Context, i int) error {
		for now := inFlight.Add(1); ; {
			if seen := most.Load(); now <= seen || most.CompareAndSwap(seen, now) {
				break
			}
		}
		sum.Add(int32(i))
		inFlight.Add(-1)
		return nil
	})
	if err != nil || sum.Load() != 4950 || most.Load() > 3 {
		t.Errorf("%v, %d, %d at once", err, sum.Load(), most.Load())
	}
}
