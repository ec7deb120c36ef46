package faults

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/faultproxy"
)

// TestUnsuccessfulKeys: KV takes a bulk call and names keys that it did not write. They are written again.
func TestUnsuccessfulKeys(t *testing.T) {
	t.Parallel()
	op, users := newOperator(t), []*subject{newSubject(t), newSubject(t)}
	for _, c := range []struct{ command, serves, flagCall string }{
		{"migrate", "store", "KV PUT bulk"},
		{"rollback", "file", "KV POST delete"},
	} {
		var hits atomic.Int64
		op.suffers(c.command, c.serves, users, oneKeyUnsuccessful(t, c.flagCall, users[1].name, &hits), nil)
		if hits.Load() < 2 {
			t.Errorf("%s sent %s %d times", c.command, c.flagCall, hits.Load())
		}
	}
}

// oneKeyUnsuccessful names the user's key in the answer to the first bulk call, whatever became of it.
func oneKeyUnsuccessful(t *testing.T, flagCall, user string, calls *atomic.Int64) faultproxy.Rule {
	body, err := json.Marshal(map[string]any{"success": true, "errors": []any{}, "messages": []any{},
		"result": map[string]any{"successful_key_count": 1, "unsuccessful_keys": []string{"migrated:" + user}}})
	if err != nil {
		t.Fatal(err)
	}
	return func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() != flagCall || calls.Add(1) > 1 {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: string(body)}
	}
}
