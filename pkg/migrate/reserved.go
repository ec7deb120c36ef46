package migrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// deleteReserved deletes what is dbmigrate's own. R2 has no conditional delete, so nothing else may ever be deleted: a user's file least of all.
func (e *Engine) deleteReserved(ctx context.Context, key userdb.ObjectKey) error {
	if !userdb.Reserved(string(key)) {
		return &userdb.Error{Op: "delete", Thing: string(key), Kind: userdb.Internal, Err: errors.New("it is not under " + userdb.ReservedPrefix)}
	}
	return e.Files.Delete(ctx, key)
}

func (e *Engine) putJSON(ctx context.Context, key userdb.ObjectKey, value any, opts userdb.PutOptions) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	body = append(body, '\n')
	opts.ContentType = "application/json"
	_, err = e.Files.Put(ctx, key, bytes.NewReader(body), int64(len(body)), opts)
	return err
}

// getJSON reads an object that putJSON wrote.
func (e *Engine) getJSON(ctx context.Context, key userdb.ObjectKey, value any) (userdb.Object, error) {
	var body bytes.Buffer
	object, err := e.Files.Get(ctx, key, "", &body)
	if err != nil {
		return object, err
	}
	if err := json.Unmarshal(body.Bytes(), value); err != nil {
		return object, &userdb.Error{Op: "read", Thing: string(key), Kind: userdb.Damaged, Err: err}
	}
	return object, nil
}
