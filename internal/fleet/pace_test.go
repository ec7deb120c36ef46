package fleet

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/concurrency"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/pkg/doclient"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// platform is a Worker in memory, in virtual time: so far away, with so much work for each request. Of more
// users at once than it bears it refuses the others, half of them with 429 and half with 503.
type platform struct {
	roundTrip, work time.Duration
	requests        int // of each user, one after the other
	bears           int // users at once; 0: any number

	mu               sync.Mutex
	inFlight, served int
	refused          int
}

func (p *platform) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.inFlight++ // on its way, too: a user at work is one, wherever the request is
	status := http.StatusOK
	if p.bears > 0 && p.inFlight > p.bears {
		status = []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[p.refused%2]
		p.refused++
	} else {
		p.served++
	}
	p.mu.Unlock()
	time.Sleep(p.roundTrip)
	if status == http.StatusOK {
		time.Sleep(p.work)
	}
	p.mu.Lock()
	p.inFlight--
	p.mu.Unlock()
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(`{"phase":"EMPTY"}`)),
		Request:    r,
	}, nil
}

const (
	away = 50 * time.Millisecond
	busy = 20 * time.Millisecond
)

// back takes users back over p, and says how long that took in virtual time, and how many failed. listen says
// whether the limiter hears of overload.
func (p *platform) back(
	t *testing.T,
	n int,
	l *concurrency.Limiter,
	flags *countedFlags,
	listen bool,
) (took time.Duration, failed int) {
	t.Helper()
	traffic := NewTraffic()
	if listen {
		traffic.Listen(l)
	}
	client, err := doclient.New(doclient.Config{
		BaseURL: "https://worker.example",
		Token:   "token-of-the-operator",
		HTTP:    &http.Client{Transport: p},
		Traffic: traffic,
	})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	Crew{Engine: &migrate.Engine{Flags: flags}, Limiter: l}.Each(
		t.Context(),
		users(n),
		result.ActionRollback,
		func(ctx context.Context, u userdb.UserID) result.Result {
			r, begun := result.Result{User: u, Flag: result.FlagChange{Delete: true}}, time.Now()
			var err error
			for range p.requests {
				if err == nil {
					_, err = client.Status(ctx, u)
				}
			}
			return r.End(time.Since(begun), err)
		},
		func(r result.Result) {
			if r.Err() != nil {
				failed++
			}
		},
	)
	return time.Since(begun), failed
}

// TestTenThousandUsersAreBackInTwoMinutes: with the default cap, within the API's 1,200 calls in 5 minutes,
// and although each user sends as many requests as a rollback with writes may.
func TestTenThousandUsersAreBackInTwoMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flags := &countedFlags{}
		p := &platform{roundTrip: away, work: busy, requests: 15}
		took, failed := p.back(t, 10_000, concurrency.NewLimiter(concurrency.DefaultCap), flags, true)
		if failed > 0 || took > 2*time.Minute || flags.calls > 1200/5*2 || flags.keys != 10_000 {
			t.Errorf("%v, %d failed, %d API calls, %d flags", took, failed, flags.calls, flags.keys)
		}
		t.Logf("10,000 users in %v of virtual time, %d API calls", took, flags.calls)
	})
}

// TestCloseToTheBestFixedConcurrency: a platform that refuses what is too much is used nearly as well as by
// somebody who knows what it bears.
func TestCloseToTheBestFixedConcurrency(t *testing.T) {
	const n, atMost = 10_000, 1.2
	for _, bears := range effort.Some(t, "platforms", []int{10, 60, 100}, 1) {
		best, at := time.Duration(0), 0
		for _, fixed := range []int{bears * 3 / 4, bears, bears + 1, bears * 5 / 4} {
			synctest.Test(t, func(t *testing.T) {
				p := &platform{roundTrip: away, work: busy, requests: 4, bears: bears}
				l := concurrency.NewFixed(fixed)
				took, failed := p.back(t, n, l, &countedFlags{}, false)
				if failed == 0 && (best == 0 || took < best) {
					best, at = took, fixed
				}
			})
		}
		synctest.Test(t, func(t *testing.T) {
			p, l := &platform{roundTrip: away, work: busy, requests: 4, bears: bears}, concurrency.NewLimiter(concurrency.DefaultCap)
			took, failed := p.back(t, n, l, &countedFlags{}, true)
			ratio := took.Seconds() / best.Seconds()
			said := fmt.Sprintf(
				"bears %d: %v, %.2f times the best fixed concurrency, which is %d with %v; %d cuts, %d of %d refused, %d users failed",
				bears, took, ratio, at, best, l.Pressure().Cuts, p.refused, p.refused+p.served, failed,
			)
			if t.Log(said); ratio > atMost || failed > 0 {
				t.Error(said)
			}
		})
	}
}
