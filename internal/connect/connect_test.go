package connect

import (
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/precheck"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// "none" in words asks the Worker for no place.
func TestHintToSend(t *testing.T) {
	for said, sent := range map[string]string{"": "", "none": "", "weur": "weur"} {
		if got := hintToSend(config.Config{Values: config.Values{LocationHint: said}}); got != sent {
			t.Errorf("of %q it sends %q, want %q", said, got, sent)
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
		var users []inspect.Found
		for i, place := range c.places {
			users = append(users, inspect.Found{User: userdb.UserID(rune('a' + i)), Place: place})
		}
		conn := &Connection{Engine: &migrate.Engine{}, Unplaced: precheck.Unplaced(wire.Hello{}, config.Config{})}
		err := conn.MayMove(users, !c.dryRun, func(string, ...any) {})
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
