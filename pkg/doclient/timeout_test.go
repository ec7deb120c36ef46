package doclient

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Messages over the whole database get time by its size, as the object said it last; the others, and small
// databases, do not.
func TestTimeoutsFollowTheSize(t *testing.T) {
	const status = `{"phase":"SEALED","gen":1,"lin":1,"databaseBytes":%d}`
	slow := func(size int64) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/status") {
				select {
				case <-time.After(400 * time.Millisecond):
				case <-r.Context().Done():
					return
				}
			}
			body := fmt.Sprintf(status, size)
			switch {
			case strings.HasSuffix(r.URL.Path, "/finish"):
				body = `{"done":true,"remaining":0}`
			case strings.HasSuffix(r.URL.Path, "/digest"):
				body = `{"phase":"ACTIVE","complete":false}`
			}
			answerJSON(200, body)(w, r)
		}
	}
	messages := map[string]func(context.Context, *Client, userdb.UserID) error{
		"claim": func(ctx context.Context, c *Client, u userdb.UserID) error {
			_, err := c.Claim(ctx, u, wire.ClaimRequest{})
			return err
		},
		"reset": func(ctx context.Context, c *Client, u userdb.UserID) error { _, err := c.Reset(ctx, u, 1); return err },
		"release": func(ctx context.Context, c *Client, u userdb.UserID) error {
			_, err := c.Release(ctx, u, 1)
			return err
		},
		"finish": func(ctx context.Context, c *Client, u userdb.UserID) error { return c.Finish(ctx, u, 1, 128) },
	}
	for name, send := range messages {
		for _, size := range []int64{1 << 20, 2 << 30} {
			w := newWorker(t, slow(size))
			client, _ := w.client(t, func(cfg *Config) {
				cfg.Retry = RetryPolicy{Attempts: 1}
				cfg.Timeouts = Timeouts{
					Message: 100 * time.Millisecond,
					Rows:    time.Second,
					PerGiB:  30 * time.Second,
				}
			})
			if _, err := client.Status(t.Context(), "ann"); err != nil {
				t.Fatal(err)
			}
			err := send(t.Context(), client, "ann")
			byBatches := name == "finish" // what was sent is as good as what the object says
			if (err == nil) != (size >= largeBytes || byBatches) {
				t.Errorf("%s of %d bytes: %v", name, size, err)
			}
			if _, err := client.Activate(t.Context(), "ann", 1); userdb.KindOf(err) != userdb.Unreachable {
				t.Errorf("activate waits as well: %v", err)
			}
		}
	}
	c := &Client{timeouts: DefaultTimeouts}
	if got := c.working(&call{timeout: time.Second}, 10<<30).timeout; got != time.Second+10*time.Minute {
		t.Errorf("10 GiB get %s", got)
	}
}
