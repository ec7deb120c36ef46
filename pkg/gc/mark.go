package gc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/reserved"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// markFolder holds the plans of gc that wait for their hold to pass.
const markFolder = userdb.ReservedPrefix + "gc/"

// Mark is a plan that was put aside in R2, for any machine to carry out once its hold has passed. The hold is
// part of it: nobody shortens it by a later command line.
type Mark struct {
	Plan          string        `json:"plan"` // the plan's digest
	OlderThan     time.Duration `json:"olderThanNs"`
	ArchivePrefix string        `json:"archivePrefix,omitempty"`
	Hold          time.Duration `json:"holdNs"`
	Run           string        `json:"run"`
	Version       string        `json:"version"`
	Free          []Item        `json:"free"`

	// At is when R2 took the mark, by its own clock.
	At time.Time `json:"-"`
}

// Due is from when on the mark may be carried out.
func (m Mark) Due() time.Time { return m.At.Add(m.Hold) }

// AsPlan is the plan that was marked.
func (m Mark) AsPlan() Plan {
	return Plan{Options: Options{OlderThan: m.OlderThan, ArchivePrefix: m.ArchivePrefix}, Free: m.Free}
}

func markKey(plan string) userdb.ObjectKey { return userdb.ObjectKey(markFolder + plan + ".json") }

// Mark puts a plan aside. A plan that was marked before keeps the time and the hold of then.
func (c *Collector) Mark(ctx context.Context, plan Plan, hold time.Duration) (Mark, error) {
	mark := Mark{
		Plan:          plan.Digest(),
		OlderThan:     plan.OlderThan,
		ArchivePrefix: plan.ArchivePrefix,
		Hold:          hold,
		Run:           c.Run,
		Version:       c.Version,
		Free:          plan.Free,
	}
	err := reserved.Put(ctx, c.Objects, markKey(mark.Plan), mark, userdb.PutOptions{IfNoneMatch: true})
	if err != nil && userdb.KindOf(err) != userdb.Precondition {
		return mark, err
	}
	return c.readMark(ctx, markKey(mark.Plan))
}

func (c *Collector) readMark(ctx context.Context, key userdb.ObjectKey) (Mark, error) {
	var mark Mark
	object, err := reserved.Get(ctx, c.Objects, key, &mark)
	if err != nil {
		return mark, err
	}
	mark.At = object.LastModified
	if markKey(mark.Plan) != key || mark.AsPlan().Digest() != mark.Plan {
		return mark, &userdb.Error{
			Op:    "read",
			Thing: string(key),
			Kind:  userdb.Damaged,
			Err:   errors.New("it is not the plan that its name says"),
			Hint:  "delete it, and mark again with `dbmigrate gc --mark`",
		}
	}
	return mark, nil
}

// Marks are the plans that wait, the oldest first.
func (c *Collector) Marks(ctx context.Context) ([]Mark, error) {
	var marks []Mark
	err := c.Objects.List(ctx, markFolder, "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			mark, err := c.readMark(ctx, o.Key)
			if userdb.KindOf(err) == userdb.NotFound {
				continue // another one ended it since
			}
			if err != nil {
				return err
			}
			marks = append(marks, mark)
		}
		return nil
	})
	slices.SortFunc(marks, func(a, b Mark) int {
		if c := a.Due().Compare(b.Due()); c != 0 {
			return c
		}
		return strings.Compare(a.Plan, b.Plan)
	})
	return marks, err
}

// Unmark takes a plan back, or ends one that was carried out. One that is not there is NotFound.
func (c *Collector) Unmark(ctx context.Context, plan string) error {
	if _, err := c.Objects.Head(ctx, markKey(plan)); err != nil {
		return err
	}
	return reserved.Delete(ctx, c.Objects, markKey(plan))
}
