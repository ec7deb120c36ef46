package concurrency

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func limitOf(l *Limiter) int { return l.Pressure().Limit }

func round(t *testing.T, l *Limiter) {
	t.Helper()
	n := limitOf(l)
	for range n {
		if err := l.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, more := l.tryAcquire(); more {
		t.Fatalf("%d in flight, the limit is %d", n+1, n)
	}
	for range n {
		l.Release()
	}
}

func TestLimiterDoublesUntilTheCap(t *testing.T) {
	l := NewLimiter(50)
	for _, want := range []int{8, 16, 32, 50, 50} {
		if got := limitOf(l); got != want {
			t.Fatalf("limit %d, want %d", got, want)
		}
		round(t, l)
	}
}

func TestLimiterShrinksAndGrowsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(8)
		for _, want := range []int{4, 2, 1, 1} {
			l.Throttled(userdb.ServiceWorker, time.Now())
			l.Throttled(userdb.ServiceWorker, time.Now()) // of the same moment: one cut
			if got := limitOf(l); got != want {
				t.Fatalf("limit %d, want %d", got, want)
			}
			time.Sleep(holdOff + 1)
		}
		for _, want := range []int{2, 3, 4} { // one more for each round
			for limitOf(l) < want {
				round(t, l)
			}
			if got := limitOf(l); got != want {
				t.Fatalf("limit %d, want %d", got, want)
			}
		}
		for range 100 {
			round(t, l)
		}
		if got := limitOf(l); got != 8 {
			t.Fatalf("limit %d, want the cap", got)
		}
	})
}

func TestLimiterHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(8)
		began := time.Now()
		l.Throttled(userdb.ServiceR2, began.Add(30*time.Second))
		if err := l.Acquire(t.Context()); err != nil || time.Since(began) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		l.Throttled(userdb.ServiceR2, time.Now().Add(100*time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if l.Acquire(ctx) == nil {
			t.Error("begun in the pause")
		}
		if left := time.Until(l.Pressure().Until); left != mostPause-time.Second {
			t.Errorf("%v left", left)
		}
	})
}

func TestOneInThreeImports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, begun := NewLimiter(8), time.Now()
		var ends []func()
		for range 3 {
			ends = append(ends, l.Import(t.Context(), 0))
		}
		var fourth atomic.Bool
		go func() {
			end := l.Import(t.Context(), 0)
			fourth.Store(true)
			end()
		}()
		if synctest.Wait(); fourth.Load() {
			t.Fatal("4 of 8 import")
		}
		ends[0]()
		if synctest.Wait(); !fourth.Load() || time.Since(begun) > 0 {
			t.Fatal("a turn was given back, and nobody took it")
		}
		l.Throttled(userdb.ServiceWorker, time.Now()) // 4 in flight: 2 of them import
		l.Import(t.Context(), 0)
		if waited := time.Since(begun); waited != importPatience {
			t.Errorf("waited %v: nobody gives a turn back, and one is bound to go ahead", waited)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		l.Import(ctx, 0)
		NewLimiter(1).Import(t.Context(), 0)
		if waited := time.Since(begun); waited != importPatience {
			t.Errorf("waited %v", waited)
		}
	})
}

// TestImportsTakeBoundedMemory: however many users are in flight and however large their databases are, those
// who import at once fit into the process.
func TestImportsTakeBoundedMemory(t *testing.T) {
	for _, size := range []int64{1, 1_200_000, 12_000_000, 10_000_000_000} {
		synctest.Test(t, func(t *testing.T) {
			l := NewLimiter(DefaultCap)
			l.limit = DefaultCap
			var importing, most atomic.Int64
			for range DefaultCap {
				go func() {
					defer l.Import(t.Context(), size)()
					most.Store(max(most.Load(), importing.Add(1)))
					time.Sleep(10 * importPatience)
					importing.Add(-1)
				}()
			}
			time.Sleep(time.Hour)
			if took := most.Load() * (importBase + min(size, importBatches)); took > importMemory ||
				most.Load() == 0 || importing.Load() != 0 {
				t.Errorf("size %d: %d at once take %d bytes", size, most.Load(), took)
			}
		})
	}
}
