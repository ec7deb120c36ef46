package r2_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// A write that is conditional on the ETag of a read loses no other writer's work. It needs a bucket, so it is
// compiled and not run.
func ExampleClient_Put() {
	bucket, err := r2.New(r2.Config{
		Endpoint:        "https://ACCOUNT.r2.cloudflarestorage.com",
		Bucket:          "user-data",
		AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, key := context.Background(), userdb.ObjectKey("alice/database.sqlite")
	var content bytes.Buffer
	object, err := bucket.Get(ctx, key, "", &content)
	if err != nil {
		fmt.Println(err)
		return
	}
	changed := bytes.NewReader(content.Bytes())
	_, err = bucket.Put(ctx, key, io.ReadSeeker(changed), changed.Size(), r2.PutOptions{IfMatch: object.ETag})
	if userdb.KindOf(err) == userdb.Precondition {
		fmt.Println("somebody else wrote the file; read it again")
	}
}
