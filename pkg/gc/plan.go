// Package gc frees the kept files of users who migrated long ago: it plans, and carries out exactly what was
// planned.
package gc

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// Plan is what gc would free, and what it keeps and why. It is made from reads only.
type Plan struct {
	Options
	Free []Item
	Keep []result.Result
}

// CheckArchivePrefix refuses a prefix under which more may lie than archives; "" is none.
func CheckArchivePrefix(prefix string) error {
	if prefix != "" && (!strings.HasSuffix(prefix, "/") || userdb.Reserved(prefix)) {
		return userdb.UsageError("read --archive-prefix", fmt.Sprintf("%q", prefix),
			"it does not end with /, or is dbmigrate's own", "such as archive/")
	}
	return nil
}

// Options are part of a plan.
type Options struct {
	// OlderThan keeps the files of younger migrations.
	OlderThan time.Duration
	// ArchivePrefix is where a file is put before it is freed, "" for nowhere.
	ArchivePrefix string
}

// Item is one file that may be freed: exactly this version of it.
type Item struct {
	User       userdb.UserID    `json:"user"`
	Key        userdb.ObjectKey `json:"key"`
	ETag       userdb.ETag      `json:"etag"`
	Bytes      int64            `json:"bytes"`
	Lin        userdb.Lineage   `json:"lin"`
	MigratedAt int64            `json:"migratedAt"`

	// Flag is the user's flag when the plan was made. A plan that is put aside carries none: it is read
	// again.
	Flag userdb.FlagMeta `json:"-"`
}

// Digest names exactly this plan: another user, version, age limit or archive gives another one. It is what
// the operator confirms.
func (p Plan) Digest() string {
	b, err := json.Marshal(struct {
		Options
		Free []Item
	}{p.Options, p.Free})
	if err != nil {
		panic(err) // plain values always marshal
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// Bytes is what the plan frees, less the tombstones.
func (p Plan) Bytes() (n int64) {
	for _, item := range p.Free {
		n += item.Bytes
	}
	return n
}

// Objects is what gc writes to.
type Objects interface {
	userfile.Reader
	userfile.Putter
	Delete(ctx context.Context, key userdb.ObjectKey) error
	List(
		ctx context.Context,
		prefix, delimiter string,
		yield func(objects []userdb.Object, commonPrefixes []string) error,
	) error
}

// Collector frees the kept files of users who migrated long ago.
type Collector struct {
	*inspect.Inspector
	Objects Objects
	// Run and Version are written into a plan that is put aside.
	Run, Version string
	// Concurrency is how many users Plan looks at together; at least 1.
	Concurrency int
}

// Plan looks at every candidate. Its order does not depend on who answered first, because its digest must
// not.
func (c *Collector) Plan(ctx context.Context, candidates []inspect.Found, opts Options) (Plan, error) {
	items, keeps := make([]*Item, len(candidates)), make([]result.Result, len(candidates))
	err := parallel.Each(ctx, len(candidates), c.Concurrency, func(ctx context.Context, i int) error {
		items[i], keeps[i] = c.Look(ctx, candidates[i], opts.OlderThan)
		return ctx.Err()
	})
	plan := Plan{Options: opts}
	for i, item := range items {
		if item != nil {
			plan.Free = append(plan.Free, *item)
		} else {
			plan.Keep = append(plan.Keep, keeps[i])
		}
	}
	plan.sort()
	return plan, err
}

func (p Plan) sort() {
	slices.SortFunc(p.Free, func(a, b Item) int { return cmp.Compare(a.User, b.User) })
}

// Failure is why a user could not be looked at, if there is one.
func (p Plan) Failure() error {
	for _, r := range p.Keep {
		if r.Err() != nil {
			return r.Err()
		}
	}
	return nil
}

// Confirm says whether the name is this plan's: only what was looked at may be freed.
func (p Plan) Confirm(name string) error {
	switch {
	case name == p.Digest():
		return nil
	case p.Failure() != nil:
		return fmt.Errorf("nothing was freed, the plan cannot be made again: %w", p.Failure())
	}
	return userdb.UsageError(
		"free files",
		"",
		fmt.Sprintf("the plan is %s now, not %s: nothing was freed", p.Digest(), name),
		"what is there, or --older-than, is not what you looked at; look at the plan again with `dbmigrate gc`",
	)
}

// Limit bounds what is freed at a time. The zero Limit frees nothing; a nil one, everything.
type Limit struct {
	Files int
	Bytes int64 // decides instead of Files where it is not 0
}

// Has says whether so many files, with so many bytes in all, are still within the limit.
func (l *Limit) Has(files int, bytes int64) bool {
	switch {
	case l == nil:
		return true
	case l.Bytes > 0:
		return bytes <= l.Bytes
	}
	return files <= l.Files
}

// Within leaves in the plan what the limit has room for, the longest migrated first, and keeps the rest for
// the reason.
func (p Plan) Within(limit *Limit, reason string) Plan {
	items := slices.Clone(p.Free)
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.MigratedAt, b.MigratedAt), cmp.Compare(a.User, b.User))
	})
	p.Free = nil
	var bytes int64
	for _, item := range items {
		if limit.Has(len(p.Free)+1, bytes+item.Bytes) {
			bytes += item.Bytes
			p.Free = append(p.Free, item)
			continue
		}
		p.Keep = append(
			p.Keep,
			result.Result{
				User:    item.User,
				Action:  result.ActionGC,
				Outcome: result.OutcomeKept,
				Bytes:   item.Bytes,
				Reason:  reason,
			},
		)
	}
	p.sort()
	return p
}

// Run works on users, several at a time, by calling do for each of them.
type Run func(ctx context.Context, users []inspect.Found, do func(context.Context, userdb.UserID) result.Result) error

// Execute frees the plan's files; each is proved again at its moment.
func (c *Collector) Execute(ctx context.Context, p Plan, run Run) error {
	items, users := map[userdb.UserID]Item{}, []inspect.Found{}
	for _, item := range p.Free {
		items[item.User] = item
		users = append(users, inspect.Found{User: item.User, Key: item.Key, Bytes: item.Bytes})
	}
	return run(
		ctx,
		users,
		func(ctx context.Context, u userdb.UserID) result.Result { return c.Free(ctx, items[u], p.Options) },
	)
}

func (c *Collector) prover() prover { return prover{c.Inspector} }

// Look looks at one user. It answers with an item when the file may be freed, and with the reason for keeping
// it otherwise.
func (c *Collector) Look(
	ctx context.Context,
	f inspect.Found,
	olderThan time.Duration,
) (*Item, result.Result) {
	started := c.Clock()
	r := result.Result{User: f.User, Action: result.ActionGC, Outcome: result.OutcomeKept, Bytes: f.Bytes}
	proof, reason, err := c.prover().mayFree(ctx, f, olderThan)
	if err != nil || reason != "" {
		r.Reason = reason
		return nil, r.End(c.Clock().Sub(started), err)
	}
	return &Item{
		User:       f.User,
		Key:        proof.File.Key,
		ETag:       proof.File.ETag,
		Bytes:      proof.File.Size,
		Lin:        proof.File.Lin,
		MigratedAt: proof.Receipt.MigratedAt,
		Flag:       f.Flag,
	}, r
}
