package doctor

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/pkg/objects"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// cloud is R2, the Cloudflare API and a Worker: users with files and with flags, objects with data, and what
// forget left.
type cloud struct {
	files, flags, data, empty []string
	splitFlags                []string
	active                    []string // who is served, whatever the API lists
	forgotten                 int
	atOnce, asked             int
	namespaces                []objects.Namespace
}

// objectsOfPage is how many objects the stand-in lists in one answer, whatever was asked for.
const objectsOfPage = 700

// idOf is what the platform derives from a name.
func idOf(name string) string { return fmt.Sprintf("%064x", name) }

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, query := r.URL.Path, r.URL.Query()
	say := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the client may be gone
	}
	switch {
	case strings.HasSuffix(path, "/durable_objects/namespaces"):
		say(map[string]any{"success": true, "result": c.namespaces})
	case strings.HasSuffix(path, "/objects"):
		var list []objects.Object
		for _, name := range c.data {
			list = append(list, objects.Object{ID: strings.ToUpper(idOf(name)), HasData: true})
		}
		for _, name := range c.empty {
			list = append(list, objects.Object{ID: idOf(name)})
		}
		from, _ := strconv.Atoi(query.Get("cursor")) // 0 for the first page
		to, next := min(from+objectsOfPage, len(list)), ""
		if to < len(list) {
			next = strconv.Itoa(to)
		}
		say(map[string]any{"success": true, "result": list[from:to], "result_info": map[string]string{"cursor": next}})
	case strings.HasSuffix(path, "/keys"):
		var keys []map[string]string
		for _, name := range c.flags {
			if strings.HasPrefix(query.Get("prefix"), userdb.FlagPrefix) {
				keys = append(keys, map[string]string{"name": userdb.FlagPrefix + name})
			}
		}
		for _, name := range c.splitFlags {
			if strings.HasPrefix(query.Get("prefix"), userdb.SplitFlagPrefix) {
				keys = append(keys, map[string]string{"name": userdb.SplitFlagPrefix + name})
			}
		}
		say(map[string]any{"success": true, "result": keys, "result_info": map[string]any{"count": len(keys), "cursor": ""}})
	case strings.HasSuffix(path, "/hello"):
		say(wire.Hello{Protocol: wire.Version, Worker: "test", Limits: wire.DefaultLimits, IDs: c.atOnce})
	case strings.HasSuffix(path, "/ids"):
		var body struct{ Users []string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Users) > c.atOnce {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.asked += len(body.Users)
		ids := []string{}
		for _, u := range body.Users {
			ids = append(ids, idOf(u))
		}
		say(map[string]any{"ids": ids})
	case strings.HasSuffix(path, "/status"):
		phase := userdb.Empty
		if slices.Contains(c.active, strings.Split(path, "/")[len(strings.Split(path, "/"))-2]) {
			phase = userdb.Active
		}
		say(map[string]any{"phase": phase})
	case query.Get("list-type") == "2":
		c.list(w, query.Get("prefix"))
	default:
		w.WriteHeader(http.StatusTeapot)
	}
}

// configOf is the configuration of everything at one address.
func configOf(url string) config.Config {
	c := config.Config{Values: config.Values{
		AccountID: "acc", Bucket: "b", KVNamespace: "ns", WorkerURL: url, R2Endpoint: url, APIBaseURL: url,
		Layout: userdb.DefaultLayout,
	}}
	c.AccessKeyID, c.SecretKey, c.APIToken, c.Token = "k", "s", "t", "token-of-the-operator"
	return c
}

func (c *cloud) list(w http.ResponseWriter, prefix string) {
	type entry struct {
		Prefix, Key string `xml:",omitempty"`
		Size        int
	}
	var answer struct {
		XMLName        xml.Name `xml:"ListBucketResult"`
		Contents       []entry
		CommonPrefixes []entry
	}
	if strings.HasPrefix(prefix, userdb.ReservedPrefix) {
		for i := range c.forgotten {
			answer.Contents = append(answer.Contents, entry{Key: fmt.Sprintf("%s%d.json", prefix, i)})
		}
	} else {
		for _, name := range c.files {
			answer.CommonPrefixes = append(answer.CommonPrefixes, entry{Prefix: name + "/"})
		}
	}
	_ = xml.NewEncoder(w).Encode(answer) // the client may be gone
}

// TestObjectsAreComparedWithUsers: an object with data of nobody, and a flag without an object, are found by
// name or id; what is only late or left by forget is no fault.
func TestObjectsAreComparedWithUsers(t *testing.T) {
	sqlite := []objects.Namespace{{ID: "ns", Class: usualClass, Script: "app", SQLite: true}}
	var many []string
	for i := range 2500 {
		many = append(many, fmt.Sprintf("user-%04d", i))
	}
	for _, c := range []struct {
		name  string
		cloud cloud
		asked string
		want  map[string]string // of each check that failed, or has a detail that counts
		fails []string
	}{
		{
			"all is well",
			cloud{files: many, flags: many[:1500], data: many[:1500], empty: many[1500:1600], namespaces: sqlite, atOnce: 1000},
			AnyNamespace,
			map[string]string{
				checkObjects:   "1600 objects, 1500 of them with data; 2500 users",
				checkNamespace: "UserDataStore of app, backed by SQLite", checkOrphans: "every object", checkLost: "every user",
			},
			nil,
		},
		{
			"an orphan and a lost object",
			cloud{files: many[:10], flags: many[:10], data: append([]string{"stranger"}, many[1:10]...), namespaces: sqlite, atOnce: 3},
			AnyNamespace,
			map[string]string{checkOrphans: "found 1 object with data that no user of this bucket or these flags has (forget left 0): " + idOf("stranger"), checkLost: "found 1 user with a flag and without an object that has data: user-0000"},
			[]string{checkOrphans, checkLost},
		},
		{
			"orphans on the last page",
			cloud{files: many, data: append(slices.Clone(many), "stranger", "other"), namespaces: sqlite, atOnce: 1000},
			AnyNamespace,
			map[string]string{checkObjects: "2502 objects", checkOrphans: idOf("other") + ", " + idOf("stranger")},
			[]string{checkOrphans},
		},
		{
			"forget left its claim numbers, and a listing is late",
			cloud{files: many[:3], flags: many[:3], active: many[:1], data: append([]string{"gone"}, many[1:3]...), forgotten: 1, namespaces: sqlite, atOnce: 1000},
			AnyNamespace,
			map[string]string{checkOrphans: "1 object without a user; forget deleted 1 user", checkLost: "every user"},
			nil,
		},
		{
			"a user with a flag and no file is a user",
			cloud{flags: []string{"flagged"}, data: []string{"flagged"}, namespaces: sqlite, atOnce: 1000},
			"ns",
			map[string]string{checkObjects: "1 object, 1 of them with data; 1 user"},
			nil,
		},
		{
			"no SQLite",
			cloud{namespaces: []objects.Namespace{{ID: "ns", Class: usualClass, Script: "app"}}, atOnce: 1000},
			AnyNamespace,
			map[string]string{checkNamespace: "is not backed by SQLite"},
			[]string{checkNamespace},
		},
		{
			"two namespaces of the class",
			cloud{namespaces: append(sqlite, objects.Namespace{ID: "old", Class: usualClass, Script: "staging", SQLite: true}), atOnce: 1000},
			AnyNamespace,
			map[string]string{checkNamespace: "2 of the account's namespaces fit: ns (UserDataStore of app), old (UserDataStore of staging)"},
			[]string{checkNamespace},
		},
		{
			"one of them, by its id",
			cloud{namespaces: append(sqlite, objects.Namespace{ID: "old", Class: usualClass, Script: "staging", SQLite: true}), atOnce: 1000},
			"old",
			map[string]string{checkNamespace: "UserDataStore of staging"},
			nil,
		},
		{
			"an older Worker",
			cloud{namespaces: sqlite},
			AnyNamespace,
			map[string]string{checkObjects: "the Worker is an older one"},
			[]string{checkObjects},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(&c.cloud)
			defer server.Close()
			cfg := configOf(server.URL)
			found := map[string]Finding{}
			var failed []string
			for _, f := range checkAllObjects(t.Context(), cfg, Options{Objects: c.asked}) {
				found[f.Check] = f
				if !f.OK {
					failed = append(failed, f.Check)
					if f.Fix == "" {
						t.Errorf("%+v: no fix", f)
					}
				}
			}
			for check, detail := range c.want {
				if !strings.Contains(found[check].Detail, detail) {
					t.Errorf("%s: %+v, want %q", check, found[check], detail)
				}
			}
			if !slices.Equal(failed, c.fails) {
				t.Errorf("failed: %q, want %q", failed, c.fails)
			}
		})
	}
}
