// Package gc frees the kept files of users who migrated long ago: it plans, and carries out exactly what was planned.
package gc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Plan is what gc would free, and what it keeps and why. It is made from reads only.
type Plan struct {
	Options
	Free []Item
	Keep []result.Result
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
	Lin        userdb.Claim     `json:"lin"`
	MigratedAt int64            `json:"migratedAt"`
}

// Digest names exactly this plan: another user, version, age limit or archive gives another one. It is what the operator confirms.
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
	Head(ctx context.Context, key userdb.ObjectKey) (userdb.Object, error)
	Get(ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag, w io.Writer) (userdb.Object, error)
	Put(ctx context.Context, key userdb.ObjectKey, body io.ReadSeeker, size int64, opts userdb.PutOptions) (userdb.ETag, error)
	Delete(ctx context.Context, key userdb.ObjectKey) error
	List(ctx context.Context, prefix, delimiter string, yield func(objects []userdb.Object, commonPrefixes []string) error) error
}

// Collector frees the kept files of users who migrated long ago.
type Collector struct {
	*inspect.Inspector
	Objects Objects
	// Run and Version are written into a plan that is put aside.
	Run, Version string
}

func (c *Collector) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Look looks at one user. It answers with an item when the file may be freed, and with the reason for keeping it otherwise.
func (c *Collector) Look(ctx context.Context, f inspect.Found, olderThan time.Duration) (*Item, result.Result) {
	started := c.now()
	r := result.Result{User: f.User, Action: result.ActionGC, Outcome: result.OutcomeKept, Bytes: f.Bytes}
	proof, reason, err := c.MayFree(ctx, f, olderThan)
	if err != nil || reason != "" {
		r.Reason = reason
		return nil, r.End(c.now().Sub(started), err)
	}
	return &Item{User: f.User, Key: proof.File.Key, ETag: proof.File.ETag, Bytes: proof.File.Size, Lin: proof.File.Lin,
		MigratedAt: proof.Receipt.MigratedAt}, r
}
