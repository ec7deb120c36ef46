package gc

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Due are the marked plans that are carried out together.
type Due struct {
	*Collector
	marks []Mark
	items map[userdb.UserID]markedItem
	flags map[userdb.UserID]userdb.Flag

	mu   sync.Mutex
	left map[string]bool // marks with something left to do
	done map[userdb.UserID]bool
}

type markedItem struct {
	Item
	plan string
	opts Options
}

// Take gathers of the marks what the limit allows. A user in two marks is freed by the older one.
func (c *Collector) Take(marks []Mark, limit *Limit) *Due {
	d := &Due{
		Collector: c,
		marks:     marks,
		items:     map[userdb.UserID]markedItem{},
		left:      map[string]bool{},
		done:      map[userdb.UserID]bool{},
	}
	var bytes int64
	for _, mark := range marks {
		for _, item := range mark.Free {
			if _, twice := d.items[item.User]; twice {
				d.left[mark.Plan] = true // it may be another version: the next run looks at it
				continue
			}
			if !limit.Has(len(d.items)+1, bytes+item.Bytes) {
				d.left[mark.Plan] = true
				continue
			}
			bytes += item.Bytes
			d.items[item.User] = markedItem{item, mark.Plan, mark.AsPlan().Options}
		}
	}
	return d
}

// LeavesSome says whether the limit, or an older mark, leaves something marked.
func (d *Due) LeavesSome() bool { return len(d.left) > 0 }

// Execute frees what was taken. A user who went back since, or moved again, is kept, and that is no failure.
func (d *Due) Execute(ctx context.Context, run Run) error {
	var users []inspect.Found
	for _, u := range slices.Sorted(maps.Keys(d.items)) {
		users = append(users, inspect.Found{User: u, Key: d.items[u].Key, Bytes: d.items[u].Bytes})
	}
	ids := make([]userdb.UserID, len(users))
	for i, f := range users {
		ids[i] = f.User
	}
	var err error
	if d.flags, err = d.Flags.Get(ctx, ids); err != nil {
		return err
	}
	return run(ctx, users, d.free)
}

func (d *Due) free(ctx context.Context, u userdb.UserID) result.Result {
	item := d.items[u]
	flag, flagged := d.flags[u]
	r := d.FreeMarked(ctx, item.Item, flag.Meta, flagged, item.opts)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done[u] = r.Err() == nil
	return r
}

// End takes back a mark when each of its users was freed, or kept for a reason. A user without a result keeps
// the mark: nothing may have begun.
func (d *Due) End(ctx context.Context) error {
	for _, mark := range d.marks {
		if !d.ended(mark) {
			continue
		}
		if err := d.Unmark(ctx, mark.Plan); err != nil && userdb.KindOf(err) != userdb.NotFound {
			return fmt.Errorf("end the mark %s: %w", mark.Plan, err)
		}
	}
	return nil
}

func (d *Due) ended(mark Mark) bool {
	return !d.left[mark.Plan] && !slices.ContainsFunc(mark.Free, func(i Item) bool { return !d.done[i.User] })
}
