package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

const (
	// Each of these users gets 20 writes a second: so many clients, and each sends one in so long.
	pacedClients = 4
	pacedEvery   = 200 * time.Millisecond
	// pacedTogether users are moved by one command.
	pacedTogether = 5
	coldRows      = "insert into entries(n) with recursive c(n) as (values (-1) union all select n - 1 from c where n > -50) select n from c;"
)

// TestHundredBusyUsers: users who get 20 writes a second, through routers as in three isolates, are moved,
// split and brought back. No fence loses its race for good, no write is refused or lost, and nothing is said
// of writes that wait.
func TestHundredBusyUsers(t *testing.T) {
	t.Parallel()
	users := effort.Amount(t, "users with 20 writes a second", 2, 100)
	cloud, err := stack.Start(t.Context(), stack.Options{ConfigPath: "../../worker/test-entry/isolates.wrangler.jsonc"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cloud.Stop(); err != nil {
			t.Error(err)
		}
	}()
	image, err := harness.Image(harness.Schema + coldRows)
	if err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(t.TempDir(), "cold.toml")
	if err := os.WriteFile(policy, []byte("[tables.entries]\nwhere = \"n < 0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := paced{t: t, cloud: cloud, image: image, policy: policy}
	go all.waits.beat(t.Context().Done())
	for first := 0; first < users; first += pacedTogether {
		all.moveSplitReturn(first, min(pacedTogether, users-first))
	}
	t.Logf("%d users, %d cutovers, %d failed; %d writes acknowledged, %d lost; the longest waits of writes:\n%s",
		users, all.cutovers, all.failed, all.acknowledged, all.lost, all.waits.report())
}

// paced is the account of all these users.
type paced struct {
	t      *testing.T
	cloud  *stack.Stack
	image  []byte
	policy string

	cutovers, failed, acknowledged, lost int
	waits                                waits
}

func (p *paced) moveSplitReturn(first, count int) {
	op, err := harness.NewOperator(p.cloud, binary, p.t.TempDir())
	if err != nil {
		p.t.Fatal(err)
	}
	defer op.Close()
	op.Proxy.Reset(p.waits.watch)
	team := team{op: op}
	for n := range count {
		u, err := harness.NewUser(p.cloud, fmt.Sprintf("busy-%d", first+n), p.image)
		if err != nil {
			p.t.Fatal(err)
		}
		team.users = append(team.users, u)
	}
	clients := p.keepPace(team.users)
	for _, step := range []struct{ args, outcome string }{
		{"migrate", "migrated"},
		{"migrate --mode split --policy " + p.policy, "split"},
		{"rollback", "merged"},
	} {
		begun := time.Now()
		f, err := op.Run(append(strings.Fields(step.args), team.names()...)...)
		if err != nil {
			clients.stop()
			p.t.Fatal(err)
		}
		p.waits.ran(strings.ReplaceAll(step.args, p.policy, "cold.toml"), begun)
		for _, u := range team.users {
			p.cutovers++
			if a := f.Accounts[u.Name]; a.Outcome != step.outcome || a.Error != nil {
				p.failed++
				p.t.Errorf("%s %s: %+v", step.args, u.Name, a)
			}
		}
		if strings.Contains(f.Stderr, "writes wait") {
			p.t.Errorf("%s: %s", step.args, f.Stderr)
		}
		p.t.Log(f.Line(), strings.TrimSpace(f.Stderr))
	}
	clients.stop()
	acknowledged, lost := clients.account(p.t)
	p.acknowledged += acknowledged
	p.lost += lost
}

func (p *paced) keepPace(users []*harness.User) *busy {
	b := &busy{users: users, done: make(chan struct{}), acked: map[string][]int{}}
	for _, u := range users {
		for client := range pacedClients {
			b.all.Go(func() { p.writeOn(b, harness.UserOf(p.cloud, u.Name), oldNumber*(client+1)) })
		}
	}
	return b
}

// writeOn sends a write at each tick, as a user does who repeats what is answered 503.
func (p *paced) writeOn(b *busy, u *harness.User, n int) {
	tick := time.NewTicker(pacedEvery)
	defer tick.Stop()
	for ; ; n++ {
		select {
		case <-b.done:
			return
		case <-tick.C:
		}
		w := wait{user: u.Name, n: n}
		u.Tried = func(a harness.Attempt) { w.attempts = append(w.attempts, a) }
		if _, err := u.Query("write", "insert into entries(n) values (?)", n); err != nil {
			p.t.Error(err)
			return
		}
		b.mu.Lock()
		b.acked[u.Name] = append(b.acked[u.Name], n)
		b.mu.Unlock()
		p.waits.wrote(w)
	}
}
