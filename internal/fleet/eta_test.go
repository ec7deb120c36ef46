package fleet

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/concurrency"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// forecasts reads what a log says of the end, with the time at which it says so.
type forecasts struct {
	began time.Time
	mu    sync.Mutex
	said  []forecast
}

type forecast struct{ at, eta time.Duration }

var etaText = regexp.MustCompile(`ETA ([0-9hms.]+)`)

func (f *forecasts) Write(text []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if found := etaText.FindSubmatch(text); found != nil {
		eta, err := time.ParseDuration(string(found[1]))
		if err != nil {
			return 0, err
		}
		f.said = append(f.said, forecast{time.Since(f.began), eta})
	}
	return len(text), nil
}

// seededFleet is a fleet, and what its users cost.
type seededFleet struct {
	name            string
	users           []inspect.Found
	perUser         time.Duration
	bytesPerSecond  float64
	noise, failures float64
	cap             int
	action          result.Action
}

var sizesOf = map[string]func(r *rand.Rand) float64{
	"equal":     func(*rand.Rand) float64 { return 400e3 },
	"uniform":   func(r *rand.Rand) float64 { return 20e3 + r.Float64()*4e6 },
	"lognormal": func(r *rand.Rand) float64 { return 300e3 * math.Exp(1.5*r.NormFloat64()) },
	"pareto":    func(r *rand.Rand) float64 { return min(100e3/math.Pow(1-r.Float64(), 1/1.2), 1e9) },
	"two kinds": func(r *rand.Rand) float64 { return []float64{30e3, 6e6}[max(0, r.IntN(10)-8)] },
}

func fleetOf(seed uint64) seededFleet {
	r := rand.New(rand.NewPCG(seed, 17))
	kinds := []string{"equal", "uniform", "lognormal", "pareto", "two kinds"}
	kind := kinds[seed%uint64(len(kinds))]
	f := seededFleet{
		name:           kind,
		perUser:        time.Duration((0.2 + r.Float64()*2) * float64(time.Second)),
		bytesPerSecond: 50e3 * math.Exp(r.Float64()*3),
		action:         result.ActionMigrate,
		noise:          r.Float64() * 0.3,
		failures:       []float64{0, 0.02, 0.1}[r.IntN(3)],
		cap:            []int{4, 16, 128}[r.IntN(3)],
	}
	n := f.cap * (30 + r.IntN(60))
	for i := range n {
		f.users = append(f.users, inspect.Found{
			User:  userdb.UserID(fmt.Sprintf("user-%05d", i)),
			Bytes: int64(sizesOf[kind](r)),
			Place: inspect.PlaceFile,
		})
	}
	slices.SortFunc(f.users, func(a, b inspect.Found) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.User, b.User))
	})
	return f
}

// run moves the fleet in virtual time, and says how long that took and what was foretold.
func (f seededFleet) run(t *testing.T, seed uint64, onTerminal bool) (took time.Duration, said []forecast) {
	synctest.Test(t, func(t *testing.T) {
		log := &forecasts{began: time.Now()}
		e := &migrate.Engine{Flags: &countedFlags{}}
		runner := &Runner{
			Engine:  e,
			Limiter: concurrency.NewLimiter(f.cap),
			Out: terminal.New(terminal.Options{
				Out: new(bytes.Buffer), Err: log, ErrTerminal: onTerminal, Format: terminal.JSON,
			}),
		}
		sizes := map[userdb.UserID]int64{}
		for _, u := range f.users {
			sizes[u.User] = u.Bytes
		}
		do := func(_ context.Context, u userdb.UserID) result.Result {
			r := rand.New(rand.NewPCG(seed, uint64(len(u))+uint64(crc(string(u)))))
			spread := math.Exp(f.noise * r.NormFloat64())
			if r.Float64() < f.failures {
				time.Sleep(time.Duration(spread * float64(f.perUser) / 3))
				return (&result.Result{User: u, Action: f.action}).End(0, errors.New("it is blocked"))
			}
			time.Sleep(time.Duration(spread * float64(f.perUser)))
			parts := 1 + min(sizes[u]>>20, 200)
			for range parts {
				time.Sleep(time.Duration(spread * float64(sizes[u]) / f.bytesPerSecond / float64(parts) * float64(time.Second)))
				e.Observe(result.Event{User: u, Stage: result.StageCopy, Bytes: sizes[u] / parts})
			}
			done := result.Result{User: u, Action: f.action, Outcome: result.OutcomeFreed, Bytes: sizes[u]}
			if f.action == result.ActionMigrate {
				done.Outcome, done.Flag = result.OutcomeMigrated, result.FlagChange{Put: &userdb.FlagMeta{}}
			}
			return done
		}
		if _, err := runner.Run(t.Context(), All(f.users), Job{Action: f.action, Do: do}); err != nil {
			t.Error(err)
		}
		took, said = time.Since(log.began), log.said
	})
	return took, said
}

func crc(text string) (sum uint32) {
	for _, c := range []byte(text) {
		sum = sum*16777619 ^ uint32(c)
	}
	return sum
}

// TestForecasts: from a third of a run on, until a tenth is left, what it says of the rest is within a
// quarter of what that really takes, in fleets of all shapes.
func TestForecasts(t *testing.T) {
	const fleets, within = 20, 0.25
	var table strings.Builder
	fmt.Fprintf(&table, "%-4s %-10s %6s %4s %9s %6s %12s %12s\n",
		"seed", "sizes", "users", "cap", "took", "said", "worst error", "of the run")
	for seed := range uint64(fleets) {
		f := fleetOf(seed)
		took, said := f.run(t, seed, false)
		var counted int
		var worst, ofRun float64
		for _, one := range said {
			left := took - one.at
			if one.at < took/3 || left < took/10 {
				continue
			}
			counted++
			off := math.Abs((one.eta - left).Seconds())
			if off/left.Seconds() > within {
				t.Errorf("seed %d: at %v of %v it said %v, and it was %v", seed, one.at, took, one.eta, left)
			}
			worst, ofRun = max(worst, off/left.Seconds()), max(ofRun, off/took.Seconds())
		}
		fmt.Fprintf(&table, "%-4d %-10s %6d %4d %9s %6d %11.0f%% %11.0f%%\n",
			seed, f.name, len(f.users), f.cap, took.Round(time.Second), counted, worst*100, ofRun*100)
		if counted == 0 {
			t.Errorf("seed %d: nothing was foretold in %v", seed, took)
		}
	}
	t.Log("\n" + table.String())
}

// TestForecastOfShortRuns: where users cost the same whatever their size, as in gc, sizes do not mislead.
func TestForecastOfShortRuns(t *testing.T) {
	f := fleetOf(3)
	f.action, f.perUser, f.bytesPerSecond, f.noise, f.cap = result.ActionGC, 100*time.Millisecond, 1e12, 0.1, 16
	f.users = f.users[:700]
	took, said := f.run(t, 3, true)
	if len(said) == 0 {
		t.Fatalf("nothing was foretold in %v", took)
	}
	for _, one := range said {
		if whole := one.at + one.eta; one.at > time.Second && whole > took+took/4 {
			t.Errorf("after %v of %v it said %v", one.at, took, one.eta)
		}
	}
	t.Logf("%d forecasts in %v", len(said), took)
}
