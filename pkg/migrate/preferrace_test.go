package migrate_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// hotBase is where the hot row of the key that both halves have begins to count; the cold one begins at 1.
const hotBase = 1_000_000

// preferRace is a user with one key in both halves, while operators resolve that and clients write.
type preferRace struct {
	*walk
	seed   uint64
	policy *split.Policy
	late   sync.WaitGroup

	mu       sync.Mutex
	inserted []int64        // acknowledged
	counted  map[bool]int64 // the highest value that was acknowledged, of the hot row (true) and the cold one
}

// TestPreferredSideIsRaced: two operators resolve conflicts, of one mind or not, and die; clients write to
// both halves meanwhile. Every acknowledged write is in the file at the end, or, if its key was given to the
// other half, in a copy that was kept.
func TestPreferredSideIsRaced(t *testing.T) {
	writes := 0
	for _, seed := range effort.Numbered(t, "races", 200, 12) {
		synctest.Test(t, func(t *testing.T) {
			r := &preferRace{walk: newSplitWalk(t), seed: uint64(seed), counted: map[bool]int64{}}
			path := filepath.Join(t.TempDir(), "cold.toml")
			err := os.WriteFile(path, []byte(referencePolicy), 0o600)
			if err == nil {
				r.policy, err = split.LoadPolicy(path)
			}
			if err != nil {
				t.Fatal(err)
			}
			r.do(fmt.Sprintf("INSERT INTO items VALUES (1, 1, %d)", hotBase))
			var all sync.WaitGroup
			for i := range 2 {
				all.Go(func() { r.client(i) })
				all.Go(func() { r.operator(i) })
			}
			all.Wait()
			r.late.Wait()
			last := r.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{Prefer: split.PreferHot})
			if last.Err() != nil {
				t.Fatalf("seed %d, at the end: %v", seed, last.Err())
			}
			r.audit()
			writes += len(r.inserted)
		})
	}
	if writes == 0 {
		t.Error("no write was acknowledged")
	}
}

func (r *preferRace) dice(who string, n int) *rand.Rand {
	sum := uint64(n)
	for _, b := range []byte(who) {
		sum = sum*131 + uint64(b)
	}
	return rand.New(rand.NewPCG(r.seed, sum))
}

func (r *preferRace) trouble() world.Trouble {
	return []world.Trouble{
		{},
		{Slow: 0.4},
		{Late: 0.03, Twice: 0.05, NoAnswer: 0.03, Slow: 0.05},
		{Lost: 0.1, Late: 0.05, Twice: 0.1, NoAnswer: 0.1, Slow: 0.1},
	}[r.seed%4]
}

// client writes rows of its own, and counts in the row that both halves have, to either half.
func (r *preferRace) client(number int) {
	dice := r.dice("client", number)
	router := &world.Router{
		World:    r.w,
		Network:  world.NewLine(r.dice("line of client", number), r.trouble(), &r.late),
		FlagAge:  func() time.Duration { return 0 },
		Deadline: 5 * time.Second,
	}
	for i := range 25 {
		time.Sleep(time.Duration(dice.Int64N(int64(1500 * time.Millisecond))))
		id, cold, counts := int64(1000*(number+1)+i), dice.IntN(2) == 0, dice.IntN(2) == 0
		statement := "UPDATE items SET done = done + 1 WHERE id = 1 RETURNING done"
		if !counts {
			statement = fmt.Sprintf("INSERT INTO items VALUES (%d, 1, %t) RETURNING id", id, cold)
		}
		var value int64
		q := world.Query{Write: true, Run: func(c *sql.Conn) error {
			value = 0
			err := c.QueryRowContext(r.Context(), statement).Scan(&value)
			if err == sql.ErrNoRows {
				return nil
			}
			return err
		}}
		var err error
		if cold {
			err = r.w.Objects.Cold(r.Context(), alice, q)
		} else {
			err = router.Do(r.Context(), alice, q)
		}
		if err == nil && value > 0 {
			r.acknowledged(counts, value)
		}
	}
}

func (r *preferRace) acknowledged(counts bool, value int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !counts {
		r.inserted = append(r.inserted, value)
		return
	}
	isHot := value >= hotBase
	r.counted[isHot] = max(r.counted[isHot], value)
}

// operator gives commands that may die; what they say is not heard.
func (r *preferRace) operator(number int) {
	dice := r.dice("operator", number)
	for n := range 3 {
		time.Sleep(time.Duration(dice.Int64N(int64(6 * time.Second))))
		line := world.NewLine(r.dice("line of operator", 10*number+n), r.trouble(), &r.late)
		if dice.IntN(2) == 0 {
			line.DieAfter(dice.IntN(60))
		}
		e := r.w.OverLine(fmt.Sprintf("operator %d", number), line)
		e.Quarantine = nil
		r.command(e, dice.IntN(6))
	}
}

func (r *preferRace) command(e *migrate.Engine, drawn int) {
	ctx := context.Background()
	switch drawn {
	case 0, 1:
		e.Rollback(ctx, alice, migrate.RollbackOptions{Prefer: split.PreferHot})
	case 2, 3:
		e.Rollback(ctx, alice, migrate.RollbackOptions{Prefer: split.PreferCold})
	case 4:
		e.Rollback(ctx, alice, migrate.RollbackOptions{})
	default:
		e.Split(ctx, alice, migrate.SplitOptions{Policy: r.policy, At: time.Unix(1_800_000_000, 0)})
	}
}

// audit compares the file and the kept copies with what was acknowledged.
func (r *preferRace) audit() {
	r.Helper()
	for _, id := range r.inserted {
		if got := r.hot(fmt.Sprintf("SELECT count(*) FROM items WHERE id = %d", id)); got != "1" {
			r.Errorf("seed %d: row %d is there %s times", r.seed, id, got)
		}
	}
	reached := map[bool]int64{}
	see := func(value int64) { reached[value >= hotBase] = max(reached[value >= hotBase], value) }
	var now int64
	if _, err := fmt.Sscan(r.hot("SELECT done FROM items WHERE id = 1"), &now); err != nil {
		r.Fatal(err)
	}
	if isHot := now >= hotBase; now < r.counted[isHot] {
		r.Errorf("seed %d: the row counts %d, and %d was acknowledged", r.seed, now, r.counted[isHot])
	}
	see(now)
	for _, value := range r.kept() {
		see(value)
	}
	for isHot, value := range r.counted {
		if reached[isHot] < value {
			r.Errorf("seed %d: hot %t: %d was acknowledged, and no copy has more than %d", r.seed, isHot, value, reached[isHot])
		}
	}
}

// kept is what the key that both halves had counts in each copy that was kept.
func (r *preferRace) kept() (values []int64) {
	r.Helper()
	prefix := migrate.LeftBehindOf(alice)
	var keys []userdb.ObjectKey
	err := r.w.Bucket.List(r.Context(), prefix, "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			keys = append(keys, o.Key)
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	for _, key := range keys {
		var body bytes.Buffer
		if _, err := r.w.Bucket.Get(r.Context(), key, "", &body); err != nil {
			r.Fatal(err)
		}
		path := filepath.Join(r.TempDir(), "kept.sqlite")
		if err := os.WriteFile(path, body.Bytes(), 0o600); err != nil {
			r.Fatal(err)
		}
		db, err := sql.Open("sqlite", path)
		if err != nil {
			r.Fatal(err)
		}
		var value int64
		err = db.QueryRow("SELECT done FROM items WHERE id = 1").Scan(&value)
		db.Close()
		if err != nil && err != sql.ErrNoRows {
			r.Fatalf("%s: %v", key, err)
		}
		values = append(values, value)
	}
	return values
}
