package backoff

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestGrowth(t *testing.T) {
	g := Growth{First: 250 * time.Millisecond, Most: 20 * time.Second}
	for failures, want := range map[int]time.Duration{
		0: 250 * time.Millisecond, 1: 250 * time.Millisecond, 2: 500 * time.Millisecond, 7: 16 * time.Second,
		8: 20 * time.Second, 1 << 20: 20 * time.Second,
	} {
		if got := g.After(failures); got != want {
			t.Errorf("after %d failures: %v", failures, got)
		}
	}
	first := Growth{First: time.Minute, Most: time.Second}
	if first.After(1) != time.Minute || first.After(2) != time.Second {
		t.Error("the first wait is not First, or the second is over Most")
	}
	if none := (Growth{}); none.After(5) != 0 {
		t.Error("no growth waits")
	}
}

func TestChance(t *testing.T) {
	for range 1000 {
		if d := Spread(time.Second); d < time.Second || d > 5*time.Second/4 {
			t.Fatal(d)
		}
		if d := UpTo(time.Second); d < 0 || d > time.Second {
			t.Fatal(d)
		}
	}
	if UpTo(0) != 0 || UpTo(-1) != 0 || Spread(0) != 0 {
		t.Error("no time is some")
	}
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := Sleep(t.Context(), time.Hour); err != nil || time.Since(begun) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
