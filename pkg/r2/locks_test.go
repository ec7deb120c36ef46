package r2

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestLocks(t *testing.T) {
	const rules = `{"success":true,"result":{"rules":[
{"id":"age","enabled":true,"prefix":"users/","condition":{"type":"Age","maxAgeSeconds":3600}},
{"id":"date","enabled":true,"condition":{"type":"Date","date":"2027-01-02T00:00:00Z"}},
{"id":"good","enabled":true,"prefix":"","condition":{"type":"Indefinite"}},
{"id":"off","enabled":false,"condition":{"type":"Indefinite"}}]}}`
	want := []Lock{
		{ID: "age", Prefix: "users/", Age: time.Hour},
		{ID: "date", Until: time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)},
		{ID: "good"},
	}
	for _, c := range []struct {
		status int
		body   string
		want   []Lock
		kind   userdb.Kind
	}{
		{200, rules, want, ""},
		{200, `{"success":true,"result":{}}`, nil, ""},
		{403, `{"success":false}`, nil, userdb.Unauthorized},
		{500, "oops", nil, userdb.Unreachable},
		{200, "oops", nil, userdb.ProtocolError},
		{200, `{"success":true,"result":{"rules":{"id":"age"}}}`, nil, userdb.ProtocolError},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v4/accounts/acc/r2/buckets/users/lock" ||
				r.Header.Get("Authorization") != "Bearer t0ken" ||
				r.Header.Get("Cf-R2-Jurisdiction") != "eu" {
				t.Errorf("%s %v", r.URL, r.Header)
			}
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		}))
		got, err := LockReader{
			BaseURL:      server.URL + "/v4",
			AccountID:    "acc",
			Token:        "t0ken",
			Bucket:       "users",
			Jurisdiction: "eu",
		}.Locks(
			t.Context(),
		)
		server.Close()
		if userdb.KindOf(err) != c.kind || !reflect.DeepEqual(got, c.want) ||
			err != nil && (strings.Contains(err.Error(), "t0ken") || strings.Contains(err.Error(), "struct")) {
			t.Errorf("%d: %+v, %v", c.status, got, err)
		}
	}
}
