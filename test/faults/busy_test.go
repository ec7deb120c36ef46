package faults

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
)

const (
	// busyClients write to each of these users at the same time, and never pause.
	busyClients = 3
	// busyTogether users are moved by one command.
	busyTogether = 5
)

// TestBusyUsers: an application that writes a user's database again and again, next to it, is no reason for a
// cutover to fail, and loses nothing. A hundred of them: make proof. A hundred with an operator far away:
// test/simulation.
func TestBusyUsers(t *testing.T) {
	t.Parallel()
	cutovers := effort.Amount(t, "busy cutovers", 4, 100)
	users := min(busyTogether, (cutovers+1)/2)
	team := newTeam(t, users)
	clients := keepBusy(team.users)
	made, failed := 0, 0
	for _, command := range slices.Repeat([]string{"migrate", "rollback"}, (cutovers+2*users-1)/(2*users)) {
		f, err := team.op.Run(append([]string{command}, team.names()...)...)
		if err != nil {
			clients.stop()
			t.Fatal(err)
		}
		for _, u := range team.users {
			made++
			a := f.Accounts[u.Name]
			if want := map[string]string{"migrate": "migrated", "rollback": "exported"}; a.Outcome != want[command] ||
				a.Error != nil {
				failed++
				t.Errorf("%s %s: %+v", command, u.Name, a)
			}
		}
		t.Log(f.Line(), strings.TrimSpace(f.Stderr))
	}
	clients.stop()
	acknowledged, lost := clients.account(t)
	t.Logf("%d cutovers, %d failed; %d writes acknowledged, %d lost", made, failed, acknowledged, lost)
}

// busy are clients that never pause, and what was acknowledged to them.
type busy struct {
	users []*harness.User
	done  chan struct{}
	all   sync.WaitGroup
	mu    sync.Mutex
	acked map[string][]int
}

func keepBusy(users []*harness.User) *busy {
	b := &busy{users: users, done: make(chan struct{}), acked: map[string][]int{}}
	for _, u := range users {
		for client := range busyClients {
			b.all.Go(func() { b.neverPause(u, oldNumber*(client+1)) })
		}
	}
	return b
}

func (b *busy) stop() {
	close(b.done)
	b.all.Wait()
}

// neverPause sends one write after the other from number n on, each as soon as the one before is answered.
func (b *busy) neverPause(u *harness.User, n int) {
	for ; ; n++ {
		select {
		case <-b.done:
			return
		default:
			if u.Try("insert into entries(n) values (?)", n) == nil {
				b.mu.Lock()
				b.acked[u.Name] = append(b.acked[u.Name], n)
				b.mu.Unlock()
			}
		}
	}
}

// account demands every acknowledged write. One without an answer may be there, too.
func (b *busy) account(t *testing.T) (acknowledged, lost int) {
	t.Helper()
	for _, u := range b.users {
		rows, err := u.Query("read", "select n from entries")
		if err != nil {
			t.Fatal(err)
		}
		there := map[int]bool{}
		for _, row := range rows {
			there[int(row[0].(float64))] = true
		}
		for _, n := range b.acked[u.Name] {
			acknowledged++
			if !there[n] {
				lost++
				t.Errorf("%s: write %d was acknowledged and is lost", u.Name, n)
			}
		}
	}
	return acknowledged, lost
}
