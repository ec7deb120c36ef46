package simulation

import (
	"flag"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
)

var (
	first  = flag.Uint64("seed", 0, "first seed; 0: that of the turn (internal/testkit/effort)")
	seeds  = flag.Uint64("seeds", 0, "how many seeds to run; 0: as many as the time allows")
	limit  = flag.Duration("for", 0, "how long to go on with new seeds; 0: as the effort says")
	detail = flag.Bool("detail", false, "print what happened")
)

// TestLives runs one life after another, on every processor. A failure names its seed: `make simulate SEED=n`
// runs that one again and prints what happened.
func TestLives(t *testing.T) {
	var (
		next  atomic.Uint64
		begun = time.Now()
		mu    sync.Mutex
		all   Figures
		lives int
	)
	from, long := *first, *limit
	if from == 0 {
		from = effort.Seed(t, "seeds")
	}
	if long == 0 && *seeds == 0 {
		long = effort.Amount(t, "of new lives", 30*time.Second, 10*time.Minute)
	}
	more := func() (seed uint64, ok bool) {
		n := next.Add(1) - 1
		return from + n, n < *seeds || *seeds == 0 && time.Since(begun) < long
	}
	t.Run("at once", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				for seed, ok := more(); ok && !t.Failed(); seed, ok = more() {
					figures, err := live(t, seed)
					if err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
					mu.Lock()
					all.Add(figures)
					lives++
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("%d lives in %v: %+v", lives, time.Since(begun).Round(time.Second), all)
	if lives > 20 &&
		(all.Acknowledged == 0 || all.Moved == 0 || all.Back == 0 || all.Died == 0 || all.Reads == 0) {
		t.Errorf("lives without events: %+v", all)
	}
}

// TestLivesThatFailed are lives that once did.
func TestLivesThatFailed(t *testing.T) {
	for seed, fault := range map[uint64]string{
		650000022: "a migrate that failed behind its claim left a birth that nobody could end, and did not say so",
		9444:      "a migrate died, and its user was deleted meanwhile: only the rollback that migrate names opens the user again",
		646000224: "an export that came twice sealed the object behind the end of its rollback",
	} {
		if _, err := live(t, seed); err != nil {
			t.Errorf("seed %d (%s): %v", seed, fault, err)
		}
	}
}

func live(t *testing.T, seed uint64) (figures Figures, err error) {
	var log io.Writer
	if *detail {
		log = t.Output()
	}
	scratch, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		return figures, err
	}
	defer os.RemoveAll(scratch)
	synctest.Test(t, func(*testing.T) { figures, err = Live(seed, scratch, log) })
	return figures, err
}
