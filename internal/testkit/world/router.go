package world

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// ErrRefused is the answer to a request that certainly had no effect: 503, try again.
var ErrRefused = errors.New("no side takes the request now; nothing was written")

// ErrUnknown is the answer to a write that may or may not have had an effect.
var ErrUnknown = errors.New("the outcome is unknown")

// Network is what lies between a router and the sides. A request that fails there with ErrLost had no effect;
// one that fails with ErrUnknown may have.
type Network interface {
	Call(ctx context.Context, op func() error) error
}

// ErrLost is a request that was not delivered.
var ErrLost = errors.New("the request was lost")

// Router takes an application's requests for one user to the side that serves the user (docs/cutover.md,
// sections 4 and 5).
type Router struct {
	World   *World
	Network Network
	// FlagAge is how old the router's view of the flag is.
	FlagAge func() time.Duration
	// Deadline is how long a request looks for a side that takes it.
	Deadline time.Duration
	// Births lets new users begin in the object.
	Births bool
}

// Query is what an application runs on a user's database, in one transaction.
type Query struct {
	Write bool
	Run   func(*sql.Conn) error
}

type side int

const (
	fileSide side = iota
	objectSide
	answered
)

// journey is one request on its way.
type journey struct {
	*Router
	user userdb.UserID
	q    Query
	copy *stored // a fenced file, as it was seen before the object was asked
	mark userdb.Mark
	// missing: the file was looked for and is not there. Whether the user is a new one, the object knows.
	missing bool
	// unborn is the last claim of the object that holds nothing beside the missing file.
	unborn *userdb.Claim
	// bearing is the birth of somebody else that the request waits for.
	bearing struct {
		gen   userdb.Claim
		since time.Time
	}
}

// Do answers a query. Errors: ErrRefused, ErrUnknown, or what the query itself failed with.
func (r *Router) Do(ctx context.Context, u userdb.UserID, q Query) error {
	j := &journey{Router: r, user: u, q: q}
	at := fileSide
	if r.World.Flags.SeenAs(u, r.FlagAge()) {
		at = objectSide
	}
	deadline := time.Now().Add(r.Deadline)
	for steps := 0; steps < 3 || time.Now().Before(deadline); steps++ {
		var err error
		if at == fileSide {
			at, err = j.askFile(ctx)
		} else {
			at, err = j.askObject(ctx)
		}
		if at == answered || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return ErrRefused
		}
	}
	return ErrRefused
}

func pause() { time.Sleep(100 * time.Millisecond) }

func (j *journey) askFile(ctx context.Context) (side, error) {
	file, err := j.get(ctx)
	if err != nil {
		pause()
		return fileSide, nil
	}
	mark, err := markOf(file)
	if err != nil {
		return answered, err
	}
	j.missing, j.unborn = false, nil
	if mark.Kind == userdb.FenceMark {
		j.copy, j.mark = file, mark
		return objectSide, nil
	}
	j.copy = nil
	if file == nil {
		j.missing = true
		return objectSide, nil
	}
	return j.useFile(ctx, file)
}

func (j *journey) useFile(ctx context.Context, file *stored) (side, error) {
	if !j.q.Write {
		return answered, j.runOnCopy(ctx, file)
	}
	return j.write(ctx, file)
}

func (j *journey) get(ctx context.Context) (*stored, error) {
	var file *stored
	err := j.Network.Call(ctx, func() error {
		o, err := j.World.Bucket.read("get", j.World.Layout.Key(j.user), "")
		if err == nil {
			file = &o
		} else {
			file = nil // absent: a user nobody has written for
		}
		return nil
	})
	return file, err
}

func markOf(file *stored) (userdb.Mark, error) {
	if file == nil || len(file.body) == 0 {
		return userdb.Mark{}, nil
	}
	if userdb.Classify(file.body) == userdb.TombstoneFile {
		stone, err := userdb.ParseTombstone(file.body)
		return userdb.Mark{Kind: userdb.FenceMark, Lin: stone.Lin, Non: stone.Non}, err
	}
	return userdb.ParseMark(file.body)
}

// write acknowledges only what was saved over exactly the bytes that it was applied to.
func (j *journey) write(ctx context.Context, file *stored) (side, error) {
	var content []byte
	changed := false
	err := j.World.withScratch("router", func(path string) error {
		var err error
		if changed, err = j.runOn(ctx, file, path); err == nil {
			content, err = os.ReadFile(path)
		}
		return err
	})
	if err != nil || !changed {
		return answered, err
	}
	if j.unborn != nil && j.Births {
		return j.bear(ctx, nil, *j.unborn)
	}
	opts := userdb.PutOptions{IfNoneMatch: file == nil}
	if file != nil {
		opts = userdb.PutOptions{
			IfMatch:     file.ETag,
			Metadata:    userdb.WithoutContent(file.Metadata, file.ETag),
			ContentType: file.ContentType,
		}
	}
	err = j.Network.Call(ctx, func() error {
		_, err := j.World.Bucket.put(j.World.Layout.Key(j.user), content, opts)
		return err
	})
	switch {
	case err == nil:
		return answered, nil
	case userdb.KindOf(err) == userdb.Precondition:
		return fileSide, nil
	case errors.Is(err, ErrLost):
		pause()
		return fileSide, nil
	}
	return answered, ErrUnknown
}

func (j *journey) runOn(ctx context.Context, file *stored, path string) (changed bool, err error) {
	if file != nil {
		if err := os.WriteFile(path, file.body, 0o600); err != nil {
			return false, err
		}
	}
	return query(ctx, path, j.q.Run)
}

func (j *journey) runOnCopy(ctx context.Context, file *stored) error {
	return j.World.withScratch("router", func(path string) error {
		unlocked := file
		if file != nil {
			if plain, err := userdb.WithoutMark(file.body); err == nil {
				copied := *file
				copied.body = append(
					plain[:userdb.HeaderBytes:userdb.HeaderBytes],
					file.body[userdb.HeaderBytes:]...)
				unlocked = &copied
			}
		}
		_, err := j.runOn(ctx, unlocked, path)
		return err
	})
}

// answer is the state in which an object took a query, or did not.
type answer struct {
	state State
	birth bool // its newest claim is one of a birth that has not come to its end
}

func (j *journey) askObject(ctx context.Context) (side, error) {
	var got answer
	var failed error
	err := j.Network.Call(ctx, func() error {
		got, failed = j.World.Objects.query(ctx, j.user, j.q)
		return nil
	})
	switch {
	case err == nil && failed == errSetBack && (j.copy != nil || j.missing):
		return answered, ErrRefused
	case err == nil && failed == errSetBack:
		return fileSide, nil
	case err == nil && failed != nil:
		return answered, failed
	case err == nil && got.state.Phase == userdb.Active:
		return answered, nil
	case err == nil && j.missing:
		return j.whileMissing(ctx, got)
	case err == nil && j.q.Write:
		return j.waitOrEnd(ctx, got)
	case err == nil:
		return j.readWhileNotActive(ctx, got)
	case j.q.Write && !errors.Is(err, ErrLost):
		return answered, ErrUnknown
	}
	pause()
	return objectSide, nil
}

// useAbsent looks once more: a rollback may have put the file back, and emptied the object, between the two
// answers.
func (j *journey) useAbsent(ctx context.Context) (side, error) {
	if file, err := j.get(ctx); err != nil || file != nil {
		return fileSide, nil
	}
	return j.useFile(ctx, nil)
}

// holdsNothing: in this phase the file alone has the user's rows, and no command is about to open the object.
func holdsNothing(phase userdb.Phase) bool { return phase == userdb.Empty }

func (j *journey) readWhileNotActive(ctx context.Context, got answer) (side, error) {
	sealed := got.state.Phase == userdb.Sealed
	if sealed && (j.copy == nil || j.mark.Lin == got.state.Lin) {
		file, err := j.get(ctx)
		mark, markErr := markOf(file)
		if err == nil && markErr == nil && mark.Kind == userdb.FenceMark && mark.Lin == got.state.Lin {
			return answered, nil
		}
		return fileSide, nil
	}
	if j.copy == nil {
		return fileSide, nil
	}
	if userdb.Classify(j.copy.body) == userdb.TombstoneFile {
		pause()
		return fileSide, nil
	}
	if file, err := j.get(ctx); err == nil && file != nil && file.ETag == j.copy.ETag {
		return answered, j.runOnCopy(ctx, j.copy)
	}
	return fileSide, nil
}

// query runs an application's query, if the phase takes it.
func (o *Objects) query(ctx context.Context, u userdb.UserID, q Query) (answer, error) {
	return with(o, u, func(o *object) (answer, error) {
		o.state.Phase = o.phase()
		got := answer{state: o.state, birth: o.isBirth()}
		if o.isBehind(u) {
			return got, errSetBack
		}
		m := Read
		if q.Write {
			m = Write
		}
		if r := o.state.rule(m); !r.ok && !(m == Read && o.state.Phase == userdb.Sealed) {
			return got, nil
		}
		changed, err := query(ctx, o.content.path, q.Run)
		if changed {
			o.writes++
		}
		return got, err
	})
}

// Cold runs an application's query of scope cold. It is refused where the object holds no cold rows.
func (o *Objects) Cold(ctx context.Context, u userdb.UserID, q Query) error {
	_, err := with(o, u, func(o *object) (struct{}, error) {
		m := ColdRead
		if q.Write {
			m = ColdWrite
		}
		o.state.Phase = o.phase()
		if !o.state.rule(m).ok {
			return struct{}{}, ErrRefused
		}
		changed, err := query(ctx, o.content.path, q.Run)
		if changed {
			o.writes++
		}
		return struct{}{}, err
	})
	return err
}
