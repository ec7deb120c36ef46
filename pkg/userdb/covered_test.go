package userdb

import "testing"

func TestCoveredBy(t *testing.T) {
	for _, c := range []struct {
		layout, prefix string
		many           bool
		only           UserID
	}{
		{"{user}/database.sqlite", "", true, ""},
		{"{user}/database.sqlite", "user-", true, ""},
		{"{user}/database.sqlite", "archive/", false, "archive"},
		{"{user}/database.sqlite", "archive/database", false, "archive"},
		{"{user}/database.sqlite", "archive/old/", false, ""},
		{"{user}/database.sqlite", ".dbmigrate/left-behind/", false, ""},
		{"databases/{user}.sqlite", "data", true, ""},
		{"databases/{user}.sqlite", "databases/", true, ""},
		{"databases/{user}.sqlite", "databases/a", true, ""},
		{"databases/{user}.sqlite", "databases/a.b", true, ""}, // of the user a.bc
		{"databases/{user}.sqlite", "databases/a.sqlite", false, "a"},
		{"databases/{user}.sqlite", "logs/", false, ""},
	} {
		layout, err := ParseLayout(c.layout)
		if err != nil {
			t.Fatal(err)
		}
		if many, only := layout.CoveredBy(c.prefix); many != c.many || only != c.only {
			t.Errorf("%s under %q: many %v, only %q", c.layout, c.prefix, many, only)
		}
	}
}
