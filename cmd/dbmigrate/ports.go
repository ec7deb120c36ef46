package main

import (
	"context"
	"io"

	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// bucketFiles makes a bucket the engine's Files.
type bucketFiles struct{ client *r2.Client }

func (b bucketFiles) Head(ctx context.Context, key userdb.ObjectKey) (userdb.Object, error) {
	o, err := b.client.Head(ctx, key)
	return object(o), err
}

func (b bucketFiles) Get(ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag, w io.Writer) (userdb.Object, error) {
	o, err := b.client.Get(ctx, key, ifMatch, w)
	return object(o), err
}

func (b bucketFiles) GetRange(ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag, offset, length int64) ([]byte, userdb.Object, error) {
	data, o, err := b.client.GetRange(ctx, key, ifMatch, offset, length)
	return data, object(o), err
}

func (b bucketFiles) Put(ctx context.Context, key userdb.ObjectKey, body io.ReadSeeker, size int64, o userdb.PutOptions) (userdb.ETag, error) {
	return b.client.Put(ctx, key, body, size, r2.PutOptions(o))
}

func (b bucketFiles) List(ctx context.Context, prefix, delimiter string, yield func([]userdb.Object, []string) error) error {
	page := func(found []r2.Object, folders []string) error {
		objects := make([]userdb.Object, len(found))
		for i, o := range found {
			objects[i] = object(o)
		}
		return yield(objects, folders)
	}
	if delimiter == "" {
		return b.client.List(ctx, prefix, "", page)
	}
	return b.client.ListUsersDelimited(ctx, prefix, delimiter, page)
}

func object(o r2.Object) userdb.Object {
	return userdb.Object{Key: o.Key, Size: o.Size, ETag: o.ETag, LastModified: o.LastModified, Metadata: o.Metadata}
}

// namespaceFlags makes a namespace the engine's Flags.
type namespaceFlags struct{ client *kv.Client }

func (n namespaceFlags) List(ctx context.Context, yield func([]userdb.Flag) error) error {
	return n.client.List(ctx, "", func(page []kv.Flag) error {
		flags := make([]userdb.Flag, len(page))
		for i, f := range page {
			flags[i] = userdb.Flag{User: f.User, Meta: userdb.FlagMeta{Version: f.Meta.Version, Lin: f.Meta.Lineage, Gen: f.Meta.Gen,
				At: f.Meta.At, Run: f.Meta.Run, Bytes: f.Meta.Bytes}}
		}
		return yield(flags)
	})
}

func (n namespaceFlags) Put(ctx context.Context, flags []userdb.Flag) error {
	out := make([]kv.Flag, len(flags))
	for i, f := range flags {
		out[i] = kv.Flag{User: f.User, Value: kv.FlagValue, Meta: kv.FlagMeta{Version: f.Meta.Version, State: "active", Lineage: f.Meta.Lin,
			Gen: f.Meta.Gen, At: f.Meta.At, Run: f.Meta.Run, Bytes: f.Meta.Bytes}}
	}
	return n.client.Put(ctx, out)
}

func (n namespaceFlags) Delete(ctx context.Context, users []userdb.UserID) error {
	return n.client.Delete(ctx, users)
}
