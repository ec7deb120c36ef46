package objects

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// api answers each request with the next of its steps.
func api(t *testing.T, asked *[]string, steps ...func(w http.ResponseWriter)) Lister {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.String())
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("authorization %q", r.Header.Get("Authorization"))
		}
		if len(*asked) > len(steps) {
			t.Errorf("not expected: %s", r.URL)
			return
		}
		steps[len(*asked)-1](w)
	}))
	t.Cleanup(server.Close)
	return Lister{BaseURL: server.URL, AccountID: "acc", Token: "secret"}
}

func body(text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { fmt.Fprint(w, text) }
}

func status(code int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(code) }
}

// TestEach: pages are asked for by cursor, wherever the API writes it; an empty page is not the last one, and
// a trouble that passes is waited for.
func TestEach(t *testing.T) {
	var asked []string
	l := api(t, &asked,
		body(`{"success":true,"result":[{"id":"aa","hasStoredData":true},{"id":"bb"}],"result_info":{"cursor":"c1"}}`),
		status(http.StatusServiceUnavailable),
		body(`{"success":true,"result":[],"result_info":{"cursors":{"after":"c2"}}}`),
		body(`{"success":true,"result":[{"id":"cc","hasStoredData":true}],"result_info":{"cursor":""}}`),
	)
	var found []string
	err := l.Each(t.Context(), "ns", func(page []Object) error {
		for _, o := range page {
			found = append(found, fmt.Sprint(o.ID, o.HasData))
		}
		return nil
	})
	if got := strings.Join(found, " "); err != nil || got != "aatrue bbfalse cctrue" {
		t.Errorf("%s, %v", got, err)
	}
	for i, want := range []string{"?limit=10000", "cursor=c1&", "cursor=c1&", "cursor=c2&"} {
		if !strings.Contains(asked[i], "/accounts/acc/workers/durable_objects/namespaces/ns/objects") || !strings.Contains(asked[i], want) {
			t.Errorf("request %d: %s", i, asked[i])
		}
	}
}

// TestListingsThatFail say what is missing, and do not go on for good.
func TestListingsThatFail(t *testing.T) {
	round := body(`{"success":true,"result":[],"result_info":{"cursor":"c"}}`)
	for _, c := range []struct {
		name  string
		steps []func(http.ResponseWriter)
		kind  userdb.Kind
		says  string
	}{
		{"a token that may not", []func(http.ResponseWriter){status(http.StatusForbidden)}, userdb.Unauthorized, "Workers Scripts Read"},
		{"another account's", []func(http.ResponseWriter){status(http.StatusNotFound)}, userdb.Unreachable, "HTTP 404"},
		{"no JSON", []func(http.ResponseWriter){body("<html>")}, userdb.ProtocolError, "not the JSON of a listing"},
		{"a circle", []func(http.ResponseWriter){round, round}, userdb.ProtocolError, "circle"},
	} {
		var asked []string
		err := api(t, &asked, c.steps...).Each(t.Context(), "ns", func([]Object) error { return nil })
		if userdb.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	var asked []string
	enough := errors.New("enough")
	err := api(t, &asked, round).Each(t.Context(), "ns", func([]Object) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("the caller's error is %v", err)
	}
}

// TestNamespaces: all pages.
func TestNamespaces(t *testing.T) {
	one := `{"id":"n","class":"UserDataStore","script":"app","use_sqlite":true}`
	full := strings.TrimSuffix(strings.Repeat(one+",", namespacePage), ",")
	var asked []string
	l := api(t, &asked, body(`{"success":true,"result":[`+full+`]}`), body(`{"success":true,"result":[`+one+`]}`))
	all, err := l.Namespaces(t.Context())
	if err != nil || len(all) != namespacePage+1 || all[0] != (Namespace{"n", "UserDataStore", "app", true}) {
		t.Errorf("%d, %v", len(all), err)
	}
	if !strings.Contains(asked[1], "page=2") {
		t.Errorf("%q", asked)
	}
}
