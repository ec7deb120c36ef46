package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// looksApart is the time between two looks, which read whole records. It is longer than the copy of a
	// small record lags.
	looksApart = 10 * time.Second
	// looksForOne is how many looks one user is worth.
	looksForOne = 2
)

// lookout answers many questions about users by few looks: all who wait are answered by the next one.
type lookout struct {
	mu      sync.Mutex
	waiting []*question
	busy    bool
	last    time.Time
}

type question struct {
	user     userdb.UserID
	by       string
	answered chan struct{}
}

// ask waits for the next look, or for the end of ctx.
func (l *lookout) ask(
	ctx context.Context,
	u userdb.UserID,
	look func(map[userdb.UserID]bool) map[userdb.UserID]string,
) string {
	q := &question{user: u, answered: make(chan struct{})}
	l.mu.Lock()
	l.waiting = append(l.waiting, q)
	if !l.busy {
		l.busy = true
		go l.answer(look)
	}
	l.mu.Unlock()
	select {
	case <-q.answered:
		return q.by
	case <-ctx.Done():
		return ""
	}
}

// answer looks until nobody waits.
func (l *lookout) answer(look func(map[userdb.UserID]bool) map[userdb.UserID]string) {
	for l.isAsked() {
		time.Sleep(time.Until(l.last.Add(looksApart)))
		l.mu.Lock()
		asked := l.waiting
		l.waiting = nil
		l.mu.Unlock()
		users := map[userdb.UserID]bool{}
		for _, q := range asked {
			users[q.user] = true
		}
		by := look(users)
		l.last = time.Now()
		for _, q := range asked {
			q.by = by[q.user]
			close(q.answered)
		}
	}
}

// isAsked says whether somebody waits. Where nobody does, the next question begins to look again.
func (l *lookout) isAsked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = len(l.waiting) > 0
	return l.busy
}
