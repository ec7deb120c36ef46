package faults

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/faultproxy"
)

// TestUnsuccessfulKeys: KV takes a bulk call and names keys that it did not write. They are written again.
func TestUnsuccessfulKeys(t *testing.T) {
	t.Parallel()
	op, users := newOperator(t), []*subject{newSubject(t), newSubject(t)}
	for command, serves := range map[string]string{"migrate": "store", "rollback": "file"} {
		if command == "rollback" {
			op.must(0, append([]string{"migrate"}, names(users)...)...)
		}
		op.suffers(command, serves, users, oneKeyUnsuccessful(t, users[1].name), nil)
	}
}

// oneKeyUnsuccessful answers the first bulk call without its having any effect.
func oneKeyUnsuccessful(t *testing.T, user string) faultproxy.Rule {
	body, err := json.Marshal(map[string]any{"success": true, "errors": []any{}, "messages": []any{},
		"result": map[string]any{"successful_key_count": 1, "unsuccessful_keys": []string{"migrated:" + user}}})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	return func(r faultproxy.Request) (f faultproxy.Fault) {
		if name := r.Name(); name == "KV PUT bulk" || name == "KV POST delete" || name == "KV DELETE bulk" {
			once.Do(func() {
				f = faultproxy.Fault{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: string(body)}
			})
		}
		return f
	}
}
