package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Bucket and objects must be in one jurisdiction, whatever pair of them there is.
func TestJurisdictionsAreCompared(t *testing.T) {
	host := map[string]string{"none": "https://acc.r2.cloudflarestorage.com", "local": "http://127.0.0.1:1"}
	all := []string{"none", "eu", "us", "fedramp"}
	for _, j := range all[1:] {
		host[j] = "https://acc." + j + ".r2.cloudflarestorage.com"
	}
	for _, bucket := range append(all, "local") {
		for _, object := range append(all, "", "unknown") {
			c := config.Config{Values: config.Values{Bucket: "users", R2Endpoint: host[bucket]}}
			hello := wire.Hello{Object: &wire.ObjectReport{Answers: true, Jurisdiction: object}}
			err := preconditions.SameJurisdiction(hello, c)
			told := object != "" && object != "unknown"
			same := !told || object == bucket || object == "none" && bucket == "local"
			if (err == nil) != same {
				t.Errorf("bucket %s, object %q: %v", bucket, object, err)
			}
			if err != nil &&
				(userdb.KindOf(err) != userdb.Usage || !strings.Contains(err.Error(), "jurisdiction(...)")) {
				t.Errorf("bucket %s, object %q: %v", bucket, object, err)
			}
			if quiet := preconditions.Untold(hello, c) == ""; quiet != (told || bucket == "none" || bucket == "local") {
				t.Errorf("bucket %s, object %q: warned %v", bucket, object, !quiet)
			}
			if f := checkPlacement(hello, c)[0]; f.failed() == same || f.NotTried == told {
				t.Errorf("doctor: %+v", f)
			}
			if bucket != "local" || !told {
				continue
			}
			c.Jurisdiction = strings.TrimSuffix(object, "none") // said in words, where the host does not tell
			if err := preconditions.SameJurisdiction(hello, c); err != nil {
				t.Errorf("--r2-jurisdiction %s: %v", object, err)
			}
		}
	}
}

// flagsIn are flags with a namespace in a jurisdiction.
type flagsIn struct {
	migrate.Flags
	where string
	err   error
}

func (f flagsIn) Jurisdiction(context.Context) (string, error) { return f.where, f.err }

func TestTheFlagsJurisdictionIsCompared(t *testing.T) {
	for _, c := range []struct {
		flags   migrate.Flags
		refused bool
		warned  string
	}{
		{flagsIn{where: "eu"}, false, ""},
		{flagsIn{where: ""}, false, "the API tells none"},
		{flagsIn{where: "none"}, false, "the API tells none"},
		{flagsIn{where: "us"}, true, ""},
		{flagsIn{err: errors.New("403")}, false, "cannot be read"},
		{nil, false, ""},
	} {
		var stderr warnings
		err := preconditions.RefuseOtherFlags(
			t.Context(),
			&migrate.Engine{Flags: c.flags},
			config.Config{Values: config.Values{Jurisdiction: "eu"}},
			stderr.warn,
		)
		if (err != nil) != c.refused || err != nil && userdb.KindOf(err) != userdb.Usage ||
			!strings.Contains(stderr.String(), c.warned) {
			t.Errorf("%+v: %v, %s", c.flags, err, &stderr)
		}
	}
}

// Somebody has to say where objects are created: dbmigrate by a hint or "none", or the Worker by the router's
// hint.
func TestPlacementIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		hint       string
		worker, ok bool
	}{
		{"", false, false},
		{"", true, true},
		{"none", false, true},
		{"weur", false, true},
		{"weur", true, true},
	} {
		cfg := config.Config{Values: config.Values{LocationHint: c.hint}}
		hello := wire.Hello{LocationHint: c.worker}
		err := preconditions.Unplaced(hello, cfg)
		if (err == nil) != c.ok || err != nil && userdb.KindOf(err) != userdb.Usage {
			t.Errorf("%+v: %v", c, err)
		}
		if f := checkPlacement(hello, cfg)[1]; f.OK != c.ok {
			t.Errorf("doctor: %+v", f)
		}
	}
}
