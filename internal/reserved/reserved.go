// Package reserved keeps dbmigrate's own small objects in the user's bucket, under userdb.ReservedPrefix.
package reserved

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type getter interface {
	Get(ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag, w io.Writer) (userdb.Object, error)
}

type putsReserved interface {
	Put(
		ctx context.Context,
		key userdb.ObjectKey,
		body io.ReadSeeker,
		size int64,
		opts userdb.PutOptions,
	) (userdb.ETag, error)
}

type deleter interface {
	Delete(ctx context.Context, key userdb.ObjectKey) error
}

// Delete deletes what is dbmigrate's own. R2 has no conditional delete, so nothing else may ever be deleted:
// a user's file least of all.
func Delete(ctx context.Context, files deleter, key userdb.ObjectKey) error {
	if !userdb.Reserved(string(key)) {
		return &userdb.Error{
			Op:    "delete",
			Thing: string(key),
			Kind:  userdb.Internal,
			Err:   errors.New("it is not under " + userdb.ReservedPrefix),
		}
	}
	return files.Delete(ctx, key)
}

// Put writes a small object that getJSON reads.
func Put(
	ctx context.Context,
	files putsReserved,
	key userdb.ObjectKey,
	value any,
	opts userdb.PutOptions,
) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	body = append(body, '\n')
	opts.ContentType = "application/json"
	_, err = files.Put(ctx, key, bytes.NewReader(body), int64(len(body)), opts)
	return err
}

// Get reads an object that putJSON wrote.
func Get(ctx context.Context, files getter, key userdb.ObjectKey, value any) (userdb.Object, error) {
	var body bytes.Buffer
	object, err := files.Get(ctx, key, "", &body)
	if err != nil {
		return object, err
	}
	if err := json.Unmarshal(body.Bytes(), value); err != nil {
		return object, &userdb.Error{Op: "read", Thing: string(key), Kind: userdb.Damaged, Err: err}
	}
	return object, nil
}
