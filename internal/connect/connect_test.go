package connect

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/pkg/doclient"
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
		{places: []inspect.Place{inspect.PlaceFile}, refused: true},
		{places: []inspect.Place{inspect.PlaceObject, inspect.PlaceFile}, refused: true},
		{places: []inspect.Place{inspect.PlaceUnreadable}, refused: true},
		{places: []inspect.Place{inspect.PlaceFile}, dryRun: true},
		{places: []inspect.Place{inspect.PlaceObject, inspect.PlaceSplit, inspect.PlaceMissing}},
		{},
	} {
		var users []inspect.Found
		for i, place := range c.places {
			users = append(users, inspect.Found{User: userdb.UserID(rune('a' + i)), Place: place})
		}
		conn := &Connection{Engine: &migrate.Engine{}, Unplaced: preconditions.Unplaced(wire.Hello{}, config.Config{})}
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

// The Worker's version is asked before each wave, and another one stops the run before any user of the wave.
// What else comes before a wave comes after that.
func TestEachWaveMeetsTheSameWorker(t *testing.T) {
	version := preconditions.WorkerVersion{Package: "1.0.0", ID: "9a8b7c6d-1111"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(wire.Hello{
			Protocol: wire.Version, Worker: version.Package, VersionID: version.ID, Limits: wire.DefaultLimits,
		})
	}))
	defer server.Close()
	worker, err := doclient.New(doclient.Config{BaseURL: server.URL, Token: "a-token-of-the-operator"})
	if err != nil {
		t.Fatal(err)
	}
	begun := 0
	conn := &Connection{worker: worker, greeted: version, beside: asksAgain(t.Context(), worker, Need{Moves: true})}
	if _, err := conn.beside(); err != nil {
		t.Fatal(err)
	}
	before := conn.StillTheWorker(func(context.Context, []inspect.Found) error {
		begun++
		return nil
	})
	greeted, sameCode := version, version
	otherPackage, otherCode := version, version
	otherPackage.Package, otherCode.ID = "0.9.0", "0f1e2d3c-1111"
	for wave, now := range []preconditions.WorkerVersion{greeted, sameCode, otherPackage, otherCode} {
		version = now
		err := before(t.Context(), nil)
		if stopped := now != greeted; (err != nil) != stopped || stopped && !strings.Contains(err.Error(), now.String()) {
			t.Errorf("wave %d with version %s: %v", wave+1, now, err)
		}
	}
	if begun != 2 {
		t.Errorf("%d waves were begun, want 2", begun)
	}
	if err := conn.StillTheWorker(nil)(t.Context(), nil); err != nil {
		t.Errorf("the first wave was stopped: %v", err)
	}
}
