// Package simulation lets one user's application and several operators live through minutes of trouble in
// milliseconds: requests are lost, late and doubled, flags are old, commands die anywhere. Time is virtual,
// and one seed is one life.
package simulation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const user = userdb.UserID("alice")

// Figures are what a life was made of.
type Figures struct {
	Acknowledged, Unknown, Refused, Reads   int
	Commands, Moved, Back, Died, FailedOpen int
	Deleted, SetBack, BucketBack            int
	Born, Forgotten                         int // users who began in the object, and who were deleted
}

// Add adds another life's.
func (f *Figures) Add(g Figures) {
	f.Acknowledged += g.Acknowledged
	f.Unknown += g.Unknown
	f.Refused += g.Refused
	f.Reads += g.Reads
	f.Commands += g.Commands
	f.Moved += g.Moved
	f.Back += g.Back
	f.Died += g.Died
	f.FailedOpen += g.FailedOpen
	f.Deleted += g.Deleted
	f.SetBack += g.SetBack
	f.BucketBack += g.BucketBack
	f.Born += g.Born
	f.Forgotten += g.Forgotten
}

// life is one run of the simulation.
type life struct {
	*world.World
	seed  uint64
	late  sync.WaitGroup
	log   io.Writer
	began time.Time

	kind   kind
	births bool // new users begin in the object
	grows  bool // the application has migrations of the schema

	mu      sync.Mutex
	running int  // commands under way
	begun   int  // commands in all
	ended   bool // the command that began last began alone, ended, and said that it left nothing open
	deleted bool // the user's file, while the object served
	setBack bool // the object's storage, after a rollback
	// bucketBack says that the file was set back while the object served. From then on either side may
	// acknowledge writes: no command may destroy one of the two, and that is all.
	bucketBack bool
	forgetting bool // the user is being deleted
	written    witness
	figures    Figures
	broken     []string
}

// Live runs one life inside a synctest bubble. An error names the promise that was broken.
func Live(seed uint64, scratch string, log io.Writer) (Figures, error) {
	l := &life{World: world.New(scratch), seed: seed, log: log, began: time.Now(), written: newWitness()}
	dice := l.dice("life", 0)
	isNew := dice.IntN(4) == 0
	l.births = isNew && l.dice("births", 0).IntN(3) > 0
	l.grows = l.dice("schema", 0).IntN(2) == 0
	calm := l.router("calm", 0, world.Trouble{})
	if !isNew {
		for i := range 1 + dice.IntN(20) {
			if err := l.write(calm, fmt.Sprintf("first-%d", i)); err != nil {
				return l.figures, fmt.Errorf("write before anything happened: %w", err)
			}
		}
	} // else the file is absent until somebody writes
	var actors sync.WaitGroup
	trouble := troubles[dice.IntN(len(troubles))]
	l.kind = drawKind(dice)
	for i := range 1 + dice.IntN(3) {
		actors.Go(func() { l.application(i, trouble) })
	}
	for i := range 1 + dice.IntN(l.kind.operators) {
		actors.Go(func() { l.operator(i, trouble) })
	}
	fate := dice.IntN(6)
	if l.dice("duel", 0).IntN(4) == 0 {
		actors.Go(l.duel)
	}
	if l.births {
		l.beside(trouble, fate == 2 || fate > 3, actors.Go)
	}
	switch {
	case fate == 0 && !isNew: // a file that somebody creates may still be under way
		actors.Go(l.deletion)
	case fate == 1:
		actors.Go(l.recovery)
	case fate == 3:
		actors.Go(l.restore)
	}
	actors.Wait()
	switch fate {
	case 2:
		l.night(trouble)
	case 3:
		l.restoredNight()
	}
	l.late.Wait() // a late request may still hit what is settled now
	if l.forgetting && !l.forget(3) {
		return l.figures, errors.New("a last, undisturbed deletion does not end")
	}
	l.demandService()
	err := l.end()
	l.figures.Born = l.Born()
	return l.figures, err
}

// night is what happens while no application is awake: a migrate dies, a rollback ends it, and what the dead
// command left under way arrives then.
func (l *life) night(trouble world.Trouble) {
	line := world.NewLine(l.dice("night line", 0), trouble, &l.late)
	line.DieAtChange(l.dice("night", 0).IntN(5))
	l.command("the migrate of the night", true, line)
	l.command("the rollback of the night", false, world.NewLine(l.dice("night line", 1), world.Trouble{}, &l.late))
}

// kind is what a life is like. Different lives find different faults: crowded ones, long ones in which flags
// grow old and requests come late, and short ones in which what a dead command left under way arrives behind
// the last command.
type kind struct {
	pace      time.Duration // the longest pause of anybody
	operators int           // at most
	commands  int           // of each, at most
	deaths    float64       // share of commands that die
	reads     float64       // share of requests that read
}

func drawKind(dice *rand.Rand) kind {
	one := func(of ...float64) float64 { return of[dice.IntN(len(of))] }
	return kind{
		pace:      time.Duration(one(0.3, 2, 12) * float64(time.Second)),
		operators: int(one(1, 2, 3)),
		commands:  int(one(2, 3, 6)),
		deaths:    one(0, 0.5, 0.8),
		reads:     one(0.2, 0.33, 0.6),
	}
}

// demandService: whatever arrives after the last command, a user left to one side is served by that side.
func (l *life) demandService() {
	if l.ended && !l.disturbed() && !l.served() {
		l.accuse("the last command said that it left nothing open, and nobody serves the user now")
	}
}

var troubles = []world.Trouble{
	{},
	{Slow: 0.4},
	{Lost: 0.02, NoAnswer: 0.02, Slow: 0.05},
	{Late: 0.03, Twice: 0.05, NoAnswer: 0.03, Slow: 0.05},
	{Lost: 0.1, Late: 0.05, Twice: 0.1, NoAnswer: 0.1, Slow: 0.1},
}

// dice are one actor's chances: they do not depend on who else is there.
func (l *life) dice(kind string, number int) *rand.Rand {
	sum := uint64(14695981039346656037)
	for _, b := range []byte(kind) {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(l.seed, sum+uint64(number)))
}

func (l *life) say(format string, args ...any) {
	if l.log == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.log, "%9.3f  %s\n", time.Since(l.began).Seconds(), fmt.Sprintf(format, args...))
}

func (l *life) router(kind string, number int, trouble world.Trouble) *world.Router {
	dice := l.dice(kind, number)
	age := func() time.Duration { return time.Duration(dice.Int64N(int64(time.Minute))) }
	if trouble == (world.Trouble{}) {
		age = func() time.Duration { return 0 }
	}
	return &world.Router{
		World:    l.World,
		Network:  world.NewLine(l.dice(kind+" line", number), trouble, &l.late),
		FlagAge:  age,
		Deadline: 5 * time.Second,
		Births:   l.births && l.dice(kind+" births", number).IntN(3) > 0,
	}
}

// application writes and reads until the operators had their time.
func (l *life) application(number int, trouble world.Trouble) {
	dice := l.dice("application", number)
	router := l.router("router", number, trouble)
	for i := range 8 + dice.IntN(12) {
		time.Sleep(time.Duration(dice.Int64N(int64(l.kind.pace))))
		if dice.Float64() < l.kind.reads {
			if _, err := l.read(router); err != nil {
				l.say("application %d: read: %v", number, err)
			}
			continue
		}
		id := fmt.Sprintf("%d-%d", number, i)
		err := l.write(l.isolate(router, number, i), id)
		l.say("application %d: write %s: %v", number, id, orDone(err))
	}
}

func orDone(err error) any {
	if err == nil {
		return "done"
	}
	return err
}

func (l *life) write(r *world.Router, id string) error { return l.writeBy(r, id) }

// writer carries out an application's queries.
type writer interface {
	Do(context.Context, userdb.UserID, world.Query) error
}

func (l *life) writeBy(w writer, id string) error {
	l.mu.Lock()
	began := l.written.epoch
	l.mu.Unlock()
	err := w.Do(context.Background(), user, world.Query{Write: true, Run: func(c *sql.Conn) error {
		ctx := context.Background()
		if err := grow(ctx, c, l.target(id)); err != nil {
			return err
		}
		if _, err := c.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS log (id TEXT)"); err != nil {
			return err
		}
		_, err := c.ExecContext(ctx, "INSERT INTO log VALUES (?)", id)
		return err
	}})
	l.mu.Lock()
	defer l.mu.Unlock()
	switch err {
	case nil:
		if l.written.counts(began) {
			l.written.acknowledged[id] = true
		}
		l.figures.Acknowledged++
	case world.ErrRefused:
		l.written.refused[id] = true
		l.figures.Refused++
	case world.ErrUnknown:
		l.figures.Unknown++
	default:
		l.broken = append(l.broken, fmt.Sprintf("write %s failed: %v", id, err))
	}
	return err
}

// read demands everything that was acknowledged, or shown to anybody, before it began.
func (l *life) read(r *world.Router) ([]string, error) {
	l.mu.Lock()
	demanded, began := l.written.visible(), l.written.epoch
	l.mu.Unlock()
	var found []string
	err := r.Do(context.Background(), user, world.Query{Run: func(c *sql.Conn) (err error) {
		if err := grown(context.Background(), c); err != nil {
			return err
		}
		found, err = logOf(c)
		return err
	}})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == world.ErrRefused || err == world.ErrUnknown {
		return nil, err
	}
	if err != nil {
		l.broken = append(l.broken, fmt.Sprintf("a read failed: %v", err))
		return nil, err
	}
	l.figures.Reads++
	if l.bucketBack || !l.written.counts(began) {
		return found, nil
	}
	if wrong := l.written.check(demanded, found); wrong != "" {
		l.broken = append(l.broken, fmt.Sprintf("a read at %.3f s: %s", time.Since(l.began).Seconds(), wrong))
	}
	return found, nil
}

// logOf reads what was written to a database.
func logOf(c *sql.Conn) (found []string, err error) {
	rows, err := c.QueryContext(context.Background(), "SELECT id FROM log")
	if err != nil && strings.Contains(err.Error(), "no such table") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		found = append(found, id)
	}
	return found, rows.Err()
}

// deletion waits until the object serves, and deletes the file.
func (l *life) deletion() {
	dice := l.dice("deletion", 0)
	for range 10 {
		time.Sleep(time.Duration(dice.Int64N(int64(l.kind.pace))))
		if l.DeleteFile(user) {
			l.say("the file is deleted")
			l.mu.Lock()
			defer l.mu.Unlock()
			l.deleted = true
			l.figures.Deleted++
			return
		}
	}
}

// recovery sets the object's storage back to a moment when it served, once the user was rolled back since.
func (l *life) recovery() {
	dice := l.dice("recovery", 0)
	var snapshot *world.Snapshot
	for range 20 {
		time.Sleep(time.Duration(dice.Int64N(int64(l.kind.pace))))
		if s := l.Objects.Snapshot(user); snapshot == nil && s != nil {
			snapshot = s
		}
		if snapshot != nil && l.Objects.SetBack(user, snapshot) {
			l.say("the object is set back to claim %d", l.claimOf())
			l.mu.Lock()
			defer l.mu.Unlock()
			l.setBack = true
			l.figures.SetBack++
			return
		}
	}
}

// restore sets the file back to an earlier version while the object serves.
func (l *life) restore() {
	dice := l.dice("restore", 0)
	var kept *world.KeptFile
	for range 20 {
		time.Sleep(time.Duration(dice.Int64N(int64(l.kind.pace))))
		if kept == nil || dice.IntN(4) == 0 {
			kept = l.KeepFile(user)
		}
		if kept != nil && l.setFileBack(kept) {
			return
		}
	}
}

// restoredNight is what happens while no application is awake: a rollback dies, a migrate opens the object
// again, and somebody sets the bucket back to what the dead command saw, before what it left under way
// arrives.
func (l *life) restoredNight() {
	calm := func(n int) *world.Line { return world.NewLine(l.dice("restored line", n), world.Trouble{}, &l.late) }
	write := func(id string) { _ = l.write(l.router("night", 0, world.Trouble{}), id) } // or it is refused
	l.command("the migrate before the restored night", true, calm(0))
	write("night-0")
	kept := l.KeepFile(user)
	if kept == nil || l.bucketBack { // what is on the file alone by now must not be thrown away
		return
	}
	line := calm(1)
	line.DieAtChange(l.dice("restored night", 0).IntN(5))
	l.command("the rollback of the restored night", false, line)
	l.command("the migrate of the restored night", true, calm(2))
	write("night-1")
	l.setFileBack(kept)
}

func (l *life) setFileBack(kept *world.KeptFile) bool {
	l.mu.Lock()
	done := l.SetFileBack(user, kept)
	if done {
		l.bucketBack = true
		l.figures.BucketBack++
	}
	l.mu.Unlock()
	if done {
		l.say("the file is set back")
	}
	return done
}

// disturbed says that somebody took one side away, behind everybody's back: the caller holds mu.
func (l *life) disturbed() bool { return l.deleted || l.setBack || l.bucketBack || l.forgetting }

func (l *life) claimOf() userdb.Claim {
	st, err := l.Objects.Status(context.Background(), user)
	if err != nil {
		return 0
	}
	return st.Gen
}

// operator runs commands, and some of them die.
func (l *life) operator(number int, trouble world.Trouble) {
	dice := l.dice("operator", number)
	for i := range 1 + dice.IntN(l.kind.commands) {
		time.Sleep(time.Duration(dice.Int64N(int64(l.kind.pace))))
		line := world.NewLine(l.dice("operator line", 100*number+i), trouble, &l.late)
		if dice.Float64() < l.kind.deaths {
			line.DieAfter(dice.IntN(25))
			if dice.IntN(4) > 0 { // where deaths matter most
				line.DieAfter(-1)
				line.DieAtChange(dice.IntN(7))
			}
		}
		l.command(fmt.Sprintf("operator %d, command %d", number, i), dice.IntN(2) == 0, line)
	}
}

// duel lets two operators begin at one moment, again and again. One is slow, and what it sends comes late: it
// goes on, and its requests arrive, when the other one has ended.
func (l *life) duel() {
	dice := l.dice("duel", 1)
	for i := range 4 {
		time.Sleep(time.Duration(dice.Int64N(int64(5 * time.Second))))
		slow := world.NewLine(l.dice("duel line", 2*i), world.Trouble{Slow: 0.3, Late: 0.1, Twice: 0.2}, &l.late)
		fast := world.NewLine(l.dice("duel line", 2*i+1), world.Trouble{}, &l.late)
		forward := dice.IntN(2) == 0
		var both sync.WaitGroup
		both.Go(func() { l.command(fmt.Sprintf("slow command %d of the duel", i), forward, slow) })
		for j := range 3 {
			time.Sleep(time.Duration(dice.Int64N(int64(time.Second))))
			l.command(fmt.Sprintf("fast command %d.%d of the duel", i, j), j%2 == 0 != forward, fast)
		}
		both.Wait()
	}
}

// command runs migrate or rollback.
func (l *life) command(name string, forward bool, line *world.Line) result.Result {
	e := l.OverLine(name, line)
	e.Random = chances{l.dice(name, 1)}
	if l.dice(name, 2).IntN(2) == 0 {
		e.MarkBytes = 0 // the fence goes up from the operator's side
	}
	if l.dice(name, 3).IntN(2) == 0 {
		world.Stepwise(e)
	}
	action, do := result.ActionRollback, func(ctx context.Context, u userdb.UserID) result.Result {
		return e.Rollback(ctx, u, migrate.RollbackOptions{})
	}
	if forward {
		action, do = result.ActionMigrate, e.Migrate
	}
	l.say("%s: %s", name, action)
	var ended result.Result
	alone := l.alone()
	lonely := l.lonely()
	fleet.Each(context.Background(), e, []userdb.UserID{user}, action, do, func(r result.Result) { ended = r })
	if alone() && !line.Died() && !ended.Open && !l.served() {
		l.accuse(
			"%s says that it left nothing open (%s, %v), and nobody serves the user, who was served before",
			name,
			ended.Outcome,
			orDone(ended.Err()),
		)
	}
	lonely(
		!line.Died() && !ended.Open &&
			(ended.Err() == nil || userdb.KindOf(ended.Err()) != userdb.Superseded && l.served()),
	)
	l.say(
		"%s: %s, died %v, open %v: %v",
		name,
		ended.Outcome,
		line.Died(),
		ended.Open,
		orDone(ended.Err()),
	)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.figures.Commands++
	switch {
	case line.Died():
		l.figures.Died++
	case ended.Open:
		l.figures.FailedOpen++
	case forward && ended.Err() == nil:
		l.figures.Moved++
	case ended.Err() == nil:
		l.figures.Back++
	}
	return ended
}

// alone begins to watch whether a command is the only one under way, on a user who is served. The function
// that it returns says so at the end.
func (l *life) alone() func() bool {
	served := l.served()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running++
	l.begun++
	number, undisturbed := l.begun, served && l.running == 1
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.running--
		return undisturbed && l.begun == number && !l.disturbed()
	}
}

// lonely begins to watch whether a command that began beside no other one is the last one that began; what it
// returns is told whether that left a side to serve the user.
func (l *life) lonely() func(left bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	number, lonely := l.begun, l.running == 1
	l.ended = false
	return func(left bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.begun == number {
			l.ended = lonely && left
		}
	}
}

// served says whether one side takes the user's writes.
func (l *life) served() bool {
	return l.World.Serves(user)
}

func (l *life) accuse(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = append(l.broken, fmt.Sprintf(format, args...))
}

type chances struct{ dice *rand.Rand }

func (c chances) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c.dice.Uint32())
	}
	return len(p), nil
}

// end brings the user to one side, undisturbed, and demands every acknowledged write there, and that a new
// one is taken.
func (l *life) end() error {
	if l.bucketBack {
		return l.endOfRestored()
	}
	forward := l.dice("end", 0).IntN(2) == 0 && !l.deleted // only a rollback makes the file again
	// What was set back is a person's to look at, and the user is served meanwhile, unless a later command
	// has claimed the user all the same and died.
	if !l.setBack || !l.served() {
		if err := l.settle(forward); err != nil {
			return err
		}
	}
	for i := range 2 {
		router := l.router("last", i, world.Trouble{})
		if i == 1 {
			router.FlagAge = func() time.Duration { return time.Minute }
		}
		if _, err := l.read(router); err != nil {
			return fmt.Errorf("nobody is served in the end: read: %w", err)
		}
		if err := l.write(router, fmt.Sprintf("last-%d", i)); err != nil {
			return fmt.Errorf("nobody is served in the end: write: %w", err)
		}
		if _, err := l.read(router); err != nil {
			return err
		}
	}
	if len(l.broken) > 0 {
		return fmt.Errorf("%s", strings.Join(l.broken, "\n"))
	}
	return nil
}

// endOfRestored runs commands after the file was set back. Behind each, every acknowledged write is on
// one side at least.
func (l *life) endOfRestored() error {
	for i, forward := range []bool{false, true, false} {
		l.command(
			fmt.Sprintf("last command %d", i),
			forward,
			world.NewLine(l.dice("last line", i), world.Trouble{}, &l.late),
		)
		if err := l.demandBoth(); err != nil {
			return err
		}
	}
	if len(l.broken) > 0 {
		return fmt.Errorf("%s", strings.Join(l.broken, "\n"))
	}
	return nil
}

func (l *life) demandBoth() error {
	kept := map[string]bool{}
	err := l.OnBoth(user, func(c *sql.Conn) error {
		found, err := logOf(c)
		for _, id := range found {
			kept[id] = true
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read both sides: %w", err)
	}
	for id := range l.written.acknowledged {
		if !kept[id] {
			return fmt.Errorf("write %s was acknowledged, and neither side has it", id)
		}
	}
	return nil
}

func (l *life) settle(forward bool) error {
	const tries = 3
	var err error
	for i := range tries {
		r := l.command(
			fmt.Sprintf("last command %d", i),
			forward,
			world.NewLine(l.dice("last line", i), world.Trouble{}, &l.late),
		)
		err = r.Err()
		switch {
		case err == nil:
			return nil
		case userdb.KindOf(err) == userdb.NotFound && !endsByRollback(err):
			return nil // a user who never wrote has nothing to move
		case endsByRollback(err):
			forward = false // as an operator who reads it does
		}
	}
	return fmt.Errorf("a last, undisturbed command does not end: %w", err)
}

// endsByRollback says of an error that a rollback is the only way out that it names. What a birth left open,
// a router ends, too.
func endsByRollback(err error) bool {
	var e *userdb.Error
	return errors.As(err, &e) && strings.HasPrefix(e.Hint, "`dbmigrate rollback` ends what was begun")
}

// witness knows what the application was told.
type witness struct {
	acknowledged, refused, shown map[string]bool
	deleted                      map[string]bool // with the user
	// epoch counts the beginnings and ends of deletions: nothing is demanded of what runs beside one.
	epoch int
}

func newWitness() witness {
	return witness{
		acknowledged: map[string]bool{}, refused: map[string]bool{}, shown: map[string]bool{}, deleted: map[string]bool{},
	}
}

// deletionBegins: what was written until now is to go.
func (w *witness) deletionBegins() {
	maps.Copy(w.deleted, w.visible())
	w.epoch++
}

// deletionEnds: what comes from now on is a new user's.
func (w *witness) deletionEnds() {
	w.acknowledged, w.shown = map[string]bool{}, map[string]bool{}
	w.epoch++
}

// counts says whether no deletion ran beside what began in that epoch.
func (w *witness) counts(began int) bool { return began == w.epoch && w.epoch%2 == 0 }

// visible is what every read from now on has to show.
func (w *witness) visible() map[string]bool {
	all := maps.Clone(w.acknowledged)
	maps.Copy(all, w.shown)
	return all
}

func (w *witness) check(demanded map[string]bool, found []string) string {
	slices.Sort(found)
	if once := slices.Compact(slices.Clone(found)); len(once) != len(found) {
		return fmt.Sprintf("a write is there twice: %v", found)
	}
	for _, id := range found {
		if w.refused[id] {
			return fmt.Sprintf("%s was refused, and is there", id)
		}
		if w.deleted[id] {
			return fmt.Sprintf("%s was deleted with its user, and is there", id)
		}
		w.shown[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(demanded)) {
		if _, there := slices.BinarySearch(found, id); !there {
			return fmt.Sprintf("LOST %s, which was acknowledged or shown before: %v", id, found)
		}
	}
	return ""
}
