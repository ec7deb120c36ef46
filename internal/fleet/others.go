package fleet

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// newestOthers is how many records are read to find other runs.
	newestOthers = 10
	// othersWait bounds how long a report about other runs takes.
	othersWait = 10 * time.Second
)

// place is where the records of this bucket are.
func (w *Watch) place() *record.Place {
	return &record.Place{
		Files: w.files, Dir: filepath.Join(w.stateAt, RecordFolder), Bucket: w.bucket, Now: time.Now,
	}
}

// others are the newest runs but this one, as far as they can be read: nothing is decided by them.
func (w *Watch) others(ctx context.Context) []record.Run {
	all, _ := w.place().List(ctx, newestOthers, func(error) {})
	return slices.DeleteFunc(all, func(r record.Run) bool { return r.Begin.Run == w.run || !changes(r.Action) })
}

// warnOfOthers says which other runs change users at this moment. Two runs are safe, and confusing.
func (w *Watch) warnOfOthers() {
	ctx, cancel := context.WithTimeout(context.Background(), othersWait)
	defer cancel()
	for _, r := range w.others(ctx) {
		if r.State == record.Running && !sameFleet(r.Command, w.Command) {
			w.Warn("another run is active, or was killed less than %s ago: %s; no user is worked on by both",
				units.FormatDuration(record.Fresh), describe(r))
		}
	}
}

// sameFleet says that both are shards of one command.
func sameFleet(a, b []string) bool {
	shard := func(word string) bool { return strings.HasPrefix(word, "--shard=") }
	return slices.ContainsFunc(a, shard) && slices.ContainsFunc(b, shard) &&
		slices.Equal(slices.DeleteFunc(slices.Clone(a), shard), slices.DeleteFunc(slices.Clone(b), shard))
}

func describe(r record.Run) string {
	by := r.Who.Name
	if r.Who.Host != "" {
		by += " on " + r.Who.Host
	}
	return fmt.Sprintf("run %s, %s of %s by %s since %s", r.Begin.Run, r.Action, units.Plural(r.Begin.Users, "user"), by,
		time.UnixMilli(r.At).UTC().Format(time.TimeOnly+" UTC"))
}

// Elsewhere says which other run works on a user, or did while this one went on; "" where no record tells.
// The other run's copy may lack a user who was just begun, so there is a second look a while later. It ends
// with ctx.
func (w *Watch) Elsewhere(ctx context.Context, u userdb.UserID) string {
	if w.files == nil {
		return ""
	}
	for range looksForOne {
		if by := w.lookout.ask(ctx, u, w.look); by != "" || ctx.Err() != nil {
			return by
		}
	}
	return ""
}

// look reads the records of other runs once, for many users.
func (w *Watch) look(users map[userdb.UserID]bool) map[userdb.UserID]string {
	ctx, cancel := context.WithTimeout(context.Background(), othersWait)
	defer cancel()
	by := map[userdb.UserID]string{}
	for _, r := range w.others(ctx) {
		if len(by) == len(users) || !wentOnAfter(r, w.at) {
			continue
		}
		var of []userdb.UserID
		full, err := w.place().Load(ctx, r.Begin.Run, func(l record.UserLine) {
			if users[l.User] {
				of = append(of, l.User)
			}
		})
		if err != nil {
			continue
		}
		for _, u := range append(of, full.InFlight()...) {
			if users[u] && by[u] == "" {
				by[u] = describe(r)
			}
		}
	}
	return by
}

// wentOnAfter leaves out runs that were over when this one began. One that was killed has no end: its last
// sign of life counts.
func wentOnAfter(r record.Run, at int64) bool {
	if r.EndAt != 0 {
		return r.EndAt >= at
	}
	return r.State == record.Running || r.Renewed >= at
}

// nameSuperseder puts the run that took a user over into the error. It may take its time, and ends with the
// operator's first signal.
func (o *run) nameSuperseder(one result.Result) result.Result {
	var e *userdb.Error
	if o.Elsewhere == nil || userdb.KindOf(one.Err()) != userdb.Superseded || !errors.As(one.Err(), &e) {
		return one
	}
	o.mu.Lock()
	o.inFlight[one.User] = waitsForName
	o.mu.Unlock()
	if by := o.Elsewhere(o.signal, one.User); by != "" {
		named := *e
		named.Err = fmt.Errorf("%w: by %s", e.Err, by)
		one.Failure = &named
	}
	return one
}
