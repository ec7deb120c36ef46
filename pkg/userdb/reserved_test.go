package userdb

import "testing"

func TestLayoutsThatReachTheReservedPrefix(t *testing.T) {
	for template, refused := range map[string]bool{
		"{user}/database.sqlite":                false, // only the user .dbmigrate would, and ParseUserID refuses that name
		".dbmigrate/{user}.sqlite":              true,
		".dbmigrate/runs/{user}/db":             true,
		".dbm{user}/database.sqlite":            true, // the user "igrate"
		"{user}migrate/database.sqlite":         true, // the user ".db"
		".{user}e/database.sqlite":              true,
		".dbmigrate{user}/database.sqlite":      false, // a user id is never empty
		".dbmigrate-{user}/database.sqlite":     false,
		"users/{user}/database.sqlite":          false,
		"users/.dbmigrate/{user}.sqlite":        false, // not at the bucket's root
		"{user}":                                false, // a key without a folder
		".dbm{user}":                            false,
		"u-{user}/database.sqlite":              false,
		"{user}.sqlite/.dbmigrate/database.sql": false,
	} {
		_, err := ParseLayout(template)
		if got := KindOf(err) == Usage; got != refused {
			t.Errorf("ParseLayout(%q): %v", template, err)
		}
	}
}

func TestReservedIsNoUser(t *testing.T) {
	if _, err := ParseUserID(".dbmigrate"); KindOf(err) != BadUserID {
		t.Errorf("ParseUserID(.dbmigrate): %v", err)
	}
	layout := mustLayout(t, DefaultLayout)
	if u, ok := layout.UserOfFolder(ReservedPrefix); ok {
		t.Errorf("UserOfFolder(%q) = %q", ReservedPrefix, u)
	}
	if u, ok := layout.UserOf(ReservedPrefix + "database.sqlite"); ok {
		t.Errorf("UserOf = %q", u)
	}
	if name := layout.Unnameable(ReservedPrefix); name != "" {
		t.Errorf("Unnameable(%q) = %q", ReservedPrefix, name)
	}
	for key, want := range map[string]bool{".dbmigrate/runs/x": true, ".dbmigrate/": true, ".dbmigrate": false, "a/.dbmigrate/x": false, ".dbmigrates/x": false} {
		if Reserved(key) != want {
			t.Errorf("Reserved(%q) = %v", key, !want)
		}
	}
}
