package faults

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/selftest"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestSelftestMayDieAnywhere: a selftest that is killed leaves only what has its own names, `selftest
// --clean` takes all of that away, and nothing of users is touched.
func TestSelftestMayDieAnywhere(t *testing.T) {
	team := newTeam(t, 2)
	must(t, team.op, 0, "migrate", team.users[0].Name)
	mustBeServed(t, team.users[0])
	before := objects(t)
	for key := range before { // what a killed command of another test has left is taken away, too
		if ofSelftest.MatchString(key) {
			delete(before, key)
		}
	}
	for _, n := range effort.Some(t, "requests at which a selftest dies", []int{1, 4, 9, 15, 22, 30, 45, 70, 100, 150, 220}, 3) {
		team.op.Proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
			if r.N == n {
				return faultproxy.Fault{Before: team.op.Kill, Cut: true}
			}
			return faultproxy.Fault{}
		})
		f, err := team.op.Run("selftest", "--only", "P6,P14,P22")
		if err != nil {
			t.Fatal(err)
		}
		team.op.Proxy.Reset(nil)
		if f.Exit != -1 {
			t.Errorf("at request %d it was not killed: %v", n, f)
		}
		if n >= 45 && !probeBegun.MatchString(f.Stderr) {
			t.Errorf("killed at request %d, it does not say at which probe it was: %v", n, f)
		}
		for key, etag := range objects(t) {
			if !ofSelftest.MatchString(key) && before[key] != etag {
				t.Errorf("killed at request %d, it left or changed %s", n, key)
			}
		}
		must(t, team.op, 0, "selftest", "--clean")
		if after := objects(t); !maps.Equal(before, after) {
			t.Errorf("killed at request %d and cleaned up, the bucket differs:\n%v\n%v", n, before, after)
		}
	}
	flags, err := kv.New(kv.Config{NamespaceID: cloud.NamespaceID, BaseURL: cloud.KVBaseURL})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := flags.Get(t.Context(), []userdb.UserID{selftest.User}); err != nil || len(left) > 0 {
		t.Errorf("flags are left: %v, %v", left, err)
	}
	for _, u := range team.users {
		mustBeServed(t, u)
	}
}

// ofSelftest are the keys of a selftest: the proof that a file can be written names nobody.
var ofSelftest = regexp.MustCompile(regexp.QuoteMeta(string(selftest.User)) + `|/selftest/|^\.dbmigrate/probe/`)

var probeBegun = regexp.MustCompile(`(?m)^P(6|14|22): `)

// objects are those of the bucket with their versions, without the records of runs.
func objects(t *testing.T) map[string]string {
	t.Helper()
	bucket, err := harness.Bucket(cloud)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	err = bucket.List(t.Context(), "", "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			if !strings.HasPrefix(string(o.Key), record.Prefix) && !strings.HasPrefix(string(o.Key), record.ActPrefix) {
				all[string(o.Key)] = string(o.ETag)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
