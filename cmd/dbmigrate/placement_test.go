package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
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
		for _, object := range append(all, "") {
			c := config.Config{Values: config.Values{Bucket: "users", R2Endpoint: host[bucket]}}
			hello := wire.Hello{Object: &wire.ObjectReport{Answers: true, Jurisdiction: object}}
			err := sameJurisdiction(hello, c)
			same := object == "" || object == bucket || object == "none" && bucket == "local"
			if (err == nil) != same {
				t.Errorf("bucket %s, object %q: %v", bucket, object, err)
			}
			if err != nil &&
				(exitCode(err) != exitUsage || !strings.Contains(err.Error(), "jurisdiction(...)")) {
				t.Errorf("bucket %s, object %q: exit code %d, %v", bucket, object, exitCode(err), err)
			}
			if told := untold(hello, c) == ""; told != (object != "" || bucket == "none" || bucket == "local") {
				t.Errorf("bucket %s, object %q: warned %v", bucket, object, !told)
			}
			if f := checkPlacement(hello, c)[0]; f.OK != same {
				t.Errorf("doctor: %+v", f)
			}
			if bucket != "local" || object == "" {
				continue
			}
			c.Jurisdiction = strings.TrimSuffix(object, "none") // said in words, where the host does not tell
			if err := sameJurisdiction(hello, c); err != nil {
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
		var stderr strings.Builder
		a := &app{out: report.New(report.Options{Out: &stderr, Err: &stderr, Format: report.Table})}
		err := a.refuseOtherFlags(
			t.Context(),
			&migrate.Engine{Flags: c.flags},
			config.Config{Values: config.Values{Jurisdiction: "eu"}},
		)
		if (err != nil) != c.refused || err != nil && exitCode(err) != exitUsage ||
			!strings.Contains(stderr.String(), c.warned) {
			t.Errorf("%+v: %v, %s", c.flags, err, &stderr)
		}
	}
}

// Somebody has to say where objects are created: dbmigrate by a hint or "none", or the Worker by the router's
// hint.
func TestPlacementIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		hint, sent string
		worker, ok bool
	}{
		{"", "", false, false},
		{"", "", true, true},
		{"none", "", false, true},
		{"weur", "weur", false, true},
		{"weur", "weur", true, true},
	} {
		cfg := config.Config{Values: config.Values{LocationHint: c.hint}}
		hello := wire.Hello{LocationHint: c.worker}
		err := unplaced(hello, cfg)
		if (err == nil) != c.ok || err != nil && exitCode(err) != exitUsage || hintToSend(cfg) != c.sent {
			t.Errorf("%+v: %v, sends %q", c, err, hintToSend(cfg))
		}
		if f := checkPlacement(hello, cfg)[1]; f.OK != c.ok {
			t.Errorf("doctor: %+v", f)
		}
	}
}

// Where objects belong is asked for where one may be created, and for nothing else.
func TestPlacementIsAskedOfThoseWhoMove(t *testing.T) {
	for _, c := range []struct {
		places  []inspect.Place
		dryRun  bool
		refused bool
	}{
		{places: []inspect.Place{inspect.PlaceR2}, refused: true},
		{places: []inspect.Place{inspect.PlaceStore, inspect.PlaceR2}, refused: true},
		{places: []inspect.Place{inspect.PlaceUnreadable}, refused: true},
		{places: []inspect.Place{inspect.PlaceR2}, dryRun: true},
		{places: []inspect.Place{inspect.PlaceStore, inspect.PlaceSplit, inspect.PlaceMissing}},
		{},
	} {
		a := &app{out: report.New(report.Options{Out: io.Discard, Err: io.Discard, Format: report.Table})}
		var users []inspect.Found
		for i, place := range c.places {
			users = append(users, inspect.Found{User: userdb.UserID(rune('a' + i)), Place: place})
		}
		conn := &connection{Engine: &migrate.Engine{}, unplaced: unplaced(wire.Hello{}, config.Config{})}
		err := a.mayMove(t.Context(), conn, &migrateOptions{dryRun: c.dryRun}, users)
		if (err != nil) != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
		for _, way := range []string{"--location-hint", "DBMIGRATE_LOCATION_HINT", "handleAdmin"} {
			if err != nil && !strings.Contains(err.Error(), way) {
				t.Errorf("the error does not name %s: %v", way, err)
			}
		}
	}
}
