package kv

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// In no five minutes are more requests sent than the budget allows, whatever the number of callers.
func TestBudgetHoldsInEveryWindow(t *testing.T) {
	for _, budget := range []int{MinBudget, 30, 56, DefaultBudget} {
		t.Run(fmt.Sprint(budget), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &fake{steps: []step{written}}
				c := api.budgeted(t, budget)
				const callers = 4
				done := make(chan error)
				for caller := range callers {
					go func() {
						var err error
						for range budget {
							if err == nil {
								err = c.Put(
									t.Context(),
									[]Flag{{User: userdb.UserID(fmt.Sprint("u", caller))}},
								)
							}
						}
						done <- err
					}()
				}
				for range callers {
					if err := <-done; err != nil {
						t.Fatal(err)
					}
				}
				most := 0
				for i := range api.requests {
					n := 0
					for _, later := range api.requests[i:] {
						if later.at.Sub(api.requests[i].at) < budgetWindow {
							n++
						}
					}
					most = max(most, n)
				}
				if most > budget {
					t.Errorf("%d requests in five minutes, %d are allowed", most, budget)
				}
				if len(api.requests) != callers*budget {
					t.Errorf("%d requests", len(api.requests))
				}
			})
		})
	}
}

func (f *fake) budgeted(t *testing.T, budget int) *Client {
	t.Helper()
	c, err := New(
		Config{
			AccountID:   "acc",
			NamespaceID: "ns",
			Token:       fakeToken,
			HTTP:        &http.Client{Transport: f},
			Budget:      budget,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What the API says of the whole account counts more than our own budget: somebody else may have spent it.
func TestReportedQuotaIsHeeded(t *testing.T) {
	for name, test := range map[string]struct {
		headers []string
		want    time.Duration
	}{
		"plenty":          {[]string{`Ratelimit: "default";r=1100;t=200`}, 0},
		"little":          {[]string{`Ratelimit: "default";r=119;t=200`}, 200 * time.Second},
		"little of a few": {[]string{`Ratelimit: "default";r=50;t=30`, `Ratelimit-Policy: "default";q=1200;w=300`}, 30 * time.Second},
		"enough of a few": {[]string{`Ratelimit: "default";r=50;t=30`, `Ratelimit-Policy: "burst";q=100;w=60`}, 0},
		"absurd":          {[]string{`Ratelimit: "default";r=0;t=999999`}, mostRetryAfter},
		"unreadable":      {[]string{`Ratelimit: soon`}, 0},
		"absent":          {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := written
				first.headers = test.headers
				api := &fake{steps: []step{first, written}}
				c := api.client(t)
				for range 2 {
					if err := c.Put(t.Context(), []Flag{{User: "ann"}}); err != nil {
						t.Fatal(err)
					}
				}
				if waited := api.requests[1].at.Sub(api.requests[0].at); waited != test.want {
					t.Errorf("waited %v, want %v", waited, test.want)
				}
			})
		})
	}
}
