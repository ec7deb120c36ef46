package kv_test

import (
	"context"
	"fmt"
	"os"

	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Flags are written in bulk: up to 10,000 users in one call of the API. It needs an account, so it is
// compiled and not run.
func ExampleClient_Put() {
	flags, err := kv.New(
		kv.Config{AccountID: "ACCOUNT", NamespaceID: "NAMESPACE", Token: os.Getenv("CLOUDFLARE_API_TOKEN")},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = flags.Put(
		context.Background(),
		[]kv.Flag{{User: "alice", Meta: kv.FlagMeta{Version: userdb.FlagMetaVersion, Lineage: 1, Gen: 1}}},
	)
	fmt.Println(err)
}
