package doclient_test

import (
	"context"
	"fmt"
	"os"

	"github.com/dbmigrate/dbmigrate/pkg/doclient"
)

// Status asks a user's Durable Object for its phase. It needs a Worker, so it is compiled and not run.
func ExampleClient_Status() {
	worker, err := doclient.New(
		doclient.Config{BaseURL: "https://app.example.com", Token: os.Getenv("DBMIGRATE_TOKEN")},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	status, err := worker.Status(context.Background(), "alice")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(status.Phase)
}
